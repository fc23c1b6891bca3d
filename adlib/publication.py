"""From scored records to published dates: check the counts, publish each date, record it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adlib.config import Config, config_digest
from adlib.errors import AdlibError
from adlib.model import Model
from adlib.outputs import DAILY_SUMMARY, SCHEMA_VERSION
from adlib.publishing import StagedDate, date_directory, publish_date
from adlib.runs import PUBLISHED, RunRecord, write_record, write_rows
from adlib.spark.ledger import DateLedger, Ledger
from adlib.spark.records import DateCounts
from adlib.summary import Summary


@dataclass(frozen=True)
class Publication:
    """What is being published: by whom, from where, to where."""

    config: Config
    model: Model
    model_id: str
    run_id: str
    ledger: Ledger
    staging: Path
    """Holds `anomalies` and, where asked for, `scores`, by date."""
    schema: pa.Schema
    """Of the anomalies: for a date that has none."""

    @property
    def work(self) -> Path:
        """Where the feature table and the quarantine are."""
        return self.config.work.path.resolve()

    @property
    def output(self) -> Path:
        """Where the published tables are."""
        return self.config.output.path.resolve()


def check_counts(ledger: Ledger, counts: Mapping[date, DateCounts]) -> None:
    """Hold what was scored against what preprocess counted.

    Raises:
        AdlibError: if a row was lost or came twice.
    """
    for entry in ledger.dates:
        scored = counts[entry.date].rows_scored if entry.date in counts else 0
        if scored != entry.features:
            message = (
                f"On {entry.date} the feature table held {entry.features} rows after preprocess "
                f"and {scored} were scored. Nothing was published; run `adlib preprocess` again."
            )
            raise AdlibError(message)


def publish(
    publication: Publication, entry: DateLedger, counts: DateCounts, summary: Summary
) -> None:
    """Publish the tables of one date, then the record that they belong together."""
    anomalies = _anomalies(publication, entry.date)
    tables = {
        "anomalies": anomalies,
        "scores": _parts(publication.staging / "scores" / date_directory(entry.date)),
        "quarantine": _quarantine(publication, entry.date),
        "daily_summary": [_daily_summary(publication, entry.date, counts)],
    }
    names = publish_date(publication.output, StagedDate(entry.date, tables), publication.staging)
    record = _record(publication, entry, counts, summary, names["anomalies"][0])
    write_record(publication.output, record, publication.staging / "record")


def _parts(directory: Path) -> list[Path]:
    """Return the Parquet files that Spark left in a directory, none where it left none."""
    return sorted(directory.glob("part-*.parquet"))


def _anomalies(publication: Publication, day: date) -> list[Path]:
    """Return the date's one file; a date without anomalies gets a file without rows."""
    directory = publication.staging / "anomalies" / date_directory(day)
    parts = _parts(directory)
    if parts:
        return parts
    directory.mkdir(parents=True, exist_ok=True)
    empty = directory / "part-empty.parquet"
    pq.write_table(publication.schema.empty_table(), empty, compression="zstd")
    return [empty]


def _quarantine(publication: Publication, day: date) -> list[Path]:
    """Copy the date's quarantine, which stays under the work path for a rerun."""
    copies = publication.staging / "quarantine" / date_directory(day)
    copies.mkdir(parents=True, exist_ok=True)
    return [
        Path(shutil.copy2(part, copies / part.name))
        for part in _parts(publication.work / "quarantine" / date_directory(day))
    ]


def _daily_summary(publication: Publication, day: date, counts: DateCounts) -> Path:
    row = {
        "event_date": day,
        "run_id": publication.run_id,
        "rows_scored": counts.rows_scored,
        "rows_flagged": counts.rows_flagged,
        **dict.fromkeys(("low", "medium", "high", "critical"), 0),
        **counts.severities,
        "commonest_first_reason": counts.commonest_first_reason,
        **counts.quantiles,
        "model_version": publication.model_id,
        "schema_version": SCHEMA_VERSION,
    }
    return write_rows([row], DAILY_SUMMARY, publication.staging / "daily_summary")


def _record(
    publication: Publication,
    entry: DateLedger,
    counts: DateCounts,
    summary: Summary,
    anomalies_file: str,
) -> RunRecord:
    model = publication.model
    return RunRecord(
        event_date=entry.date,
        run_id=publication.run_id,
        status=PUBLISHED,
        started_at=summary.started_at,
        ended_at=datetime.now(UTC),
        rows_read=entry.rows_read,
        context_rows=publication.ledger.context_rows,
        quarantined_by_problem=entry.quarantined,
        rows_scored=counts.rows_scored,
        rows_flagged=counts.rows_flagged,
        short_history_rows=entry.short_history,
        asked_fraction=model.threshold.asked_fraction,
        threshold=model.threshold.cut,
        model_name=model.name,
        model_version=publication.model_id,
        config_digest=config_digest(publication.config),
        input_digest=entry.input_digest,
        seconds_by_stage=summary.seconds,
        anomalies_file=anomalies_file,
    )
