"""`adlib compare` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["compare", *sys.argv[1:]]))
