"""`python -m kbroker` is the command `kbroker`."""

import sys

from kbroker.cli import main

sys.exit(main())
