"""`adlib report` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["report", *sys.argv[1:]]))
