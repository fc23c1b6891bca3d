"""Find the strange rows of a very large table, and say why each is strange."""

__version__ = "0.1.0"
