"""`adlib score` for spark-submit."""

import sys

from adlib.cli import main

sys.exit(main(["score", *sys.argv[1:]]))
