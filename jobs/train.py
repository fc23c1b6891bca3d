"""`adlib train` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["train", *sys.argv[1:]]))
