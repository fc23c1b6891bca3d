"""The card payments, repeated to as many rows as are asked for."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

_ROOT = Path(__file__).parents[2]
_FILE = Path("transactions") / "card_transactions.parquet"


def real_payments() -> Path | None:
    """Return the public table of card payments, or None where it is not at hand."""
    folder = Path(os.environ.get("ADLIB_REAL_DATA", _ROOT.parent / "shared" / "data"))
    return folder / _FILE if (folder / _FILE).is_file() else None


def repeated_payments(rows: int, original: Path, folder: Path) -> Path:
    """Return a directory of payments: the original, again and again, each time half a year later.

    Keys go on counting; customers and terminals stay, so that they have a longer past.
    """
    made = folder / f"payments-{rows}"
    if made.is_dir():
        return made
    making = folder / f"payments-{rows}.making"
    making.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        source = connection.read_parquet(str(original))
        known, days = connection.execute(
            "select count(*), date_diff('day', min(TX_DATETIME), max(TX_DATETIME)) + 1 from source"
        ).fetchall()[0]
        for copy in range(-(-rows // known)):
            part = connection.sql(
                "select * replace ("  # noqa: S608 - of whole numbers
                f"TRANSACTION_ID + {copy * known} as TRANSACTION_ID, "
                f"(TX_DATETIME + to_days({copy * days}))::timestamp as TX_DATETIME, "
                f"TX_TIME_SECONDS + {copy * days * 86_400} as TX_TIME_SECONDS, "
                f"TX_TIME_DAYS + {copy * days} as TX_TIME_DAYS"
                f") from source order by TX_DATETIME, TRANSACTION_ID limit {rows - copy * known}"
            )
            part.write_parquet(str(making / f"part-{copy:05d}.parquet"), compression="zstd")
        del source
    making.rename(made)
    return made
