"""`python -m adlib` is `adlib`."""

import sys

from adlib.cli import main

sys.exit(main(sys.argv[1:]))
