"""`python -m comity.interfaces.worker`."""

import sys

from comity.interfaces.worker.main import main

sys.exit(main())
