"""`adlib verify` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["verify", *sys.argv[1:]]))
