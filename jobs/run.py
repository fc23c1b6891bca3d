"""`adlib run` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["run", *sys.argv[1:]]))
