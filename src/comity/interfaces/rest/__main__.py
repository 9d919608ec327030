"""`python -m comity.interfaces.rest`."""

import sys

from comity.interfaces.rest.main import main

sys.exit(main())
