"""Publishing: finished files into the published tables, one date at a time; files only.

States of a date's publication, and what takes it from one to the next:

    staged      its files are in a bundle beside the output, named by their content
      | seal    rows of the footers = rows counted, columns = the contract, SHA-256 of every file,
      v         the manifest and the seal on the disk
    sealed
      | lock    the date is claimed under a number that is higher than every one before
      v journal the number is written into the bundle
    journalled  from here on it is carried through, by this process or by the next that starts
      | swap    table by table the bundle's directory is exchanged with the published one, the
      |         names of the old files standing for notices in it, which are then withdrawn
      v record  the row of `runs/` is moved in
    published   the row in `runs/` names the manifest: the mark that the tables belong together
      | retire  the bundle, now with what was replaced, is kept for a while and then deleted
      v

The invariant, at every step and after a kill at any of them: a table's directory of a date holds
the files of one publication, whole; no file has the name of another content, a notice aside, which
fails whoever reads it; and a row of `runs/` names the manifest that is published only if every
table is as that manifest says. So a reader sees the old files of a date or the new ones, and one
that planned on the old ones fails.

Every start recovers: what is journalled is carried through, what is not is discarded. A step of the
swap is a rename out of the bundle, and whoever takes a date over renames the bundle first, so that
an owner paused past its lease has nothing left to rename.

On Linux local disks the exchange is one step. Elsewhere it is two renames with a moment between
them in which a date's directory is not there.
"""

from adlib.publishing.bundles import Bundle, CountedTable
from adlib.publishing.disk import Disk
from adlib.publishing.manifest import Manifest
from adlib.publishing.places import (
    RUNS,
    Area,
    date_directory,
    name_by_content,
    refuse_files,
    refuse_overlap,
    refuse_unwritable,
)
from adlib.publishing.placing import place_file
from adlib.publishing.publisher import Publisher
from adlib.publishing.verifying import Examined, examine, published_dates

__all__ = [
    "RUNS",
    "Area",
    "Bundle",
    "CountedTable",
    "Disk",
    "Examined",
    "Manifest",
    "Publisher",
    "date_directory",
    "examine",
    "name_by_content",
    "place_file",
    "published_dates",
    "refuse_files",
    "refuse_overlap",
    "refuse_unwritable",
]
