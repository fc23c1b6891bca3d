"""`adlib evaluate` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["evaluate", *sys.argv[1:]]))
