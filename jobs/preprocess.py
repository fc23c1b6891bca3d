"""`adlib preprocess` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["preprocess", *sys.argv[1:]]))
