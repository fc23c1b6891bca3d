"""What is laid beside the published tables for those who read them: a guide, a schema, views.

`published` says which tables there are and what columns each has, `guide` writes that down for
people and for programs, `queries` asks what a dashboard asks, `views` says it in the SQL of three
engines and `power_query` in that of spreadsheets; `files` writes them all when a date is published.
"""

from adlib.readers.files import write_guide
from adlib.readers.published import Published

__all__ = ["Published", "write_guide"]
