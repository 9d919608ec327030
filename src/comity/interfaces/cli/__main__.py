"""`python -m comity.interfaces.cli`: the command line, for processes that start it as a child."""

from comity.interfaces.cli.main import main

main()
