"""From scored records to published dates: check the counts, publish each date, record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from adlib.config import Config, config_digest
from adlib.errors import AdlibError
from adlib.model import Model
from adlib.outputs import DAILY_SUMMARY, SCHEMA_VERSION
from adlib.publishing import StagedDate, publish_date
from adlib.runs import PUBLISHED, RunRecord, write_record, write_rows
from adlib.spark.ledger import DateLedger, Ledger
from adlib.spark.records import DateCounts
from adlib.spark.writing import WrittenFile, write_empty
from adlib.summary import Summary


@dataclass(frozen=True)
class Publication:
    """What is being published: by whom, from where, to where."""

    config: Config
    model: Model
    model_id: str
    run_id: str
    ledger: Ledger
    counts: Mapping[date, DateCounts]
    files: Mapping[str, Mapping[date, WrittenFile]]
    """Of `anomalies`, `scores` and `quarantine`: the finished file of each date that has rows."""
    anomalies_schema: pa.Schema
    """For a date that has none."""
    staging: Path

    @property
    def output(self) -> Path:
        """Where the published tables are."""
        return self.config.output.path.resolve()

    def counts_of(self, day: date) -> DateCounts:
        """Return what was scored of a date."""
        return self.counts.get(day, DateCounts())


def check_counts(publication: Publication) -> None:
    """Hold what was scored and written against what preprocess counted.

    Raises:
        AdlibError: if a row was lost or came twice.
    """
    for entry in publication.ledger.dates:
        counts = publication.counts_of(entry.date)
        expected = {
            "scored": (entry.features, counts.rows_scored),
            "anomalies": (counts.rows_flagged, _rows(publication, "anomalies", entry.date)),
            "quarantine": (
                sum(entry.quarantined.values()),
                _rows(publication, "quarantine", entry.date),
            ),
        }
        if publication.config.output.scores:
            scores = _rows(publication, "scores", entry.date)
            expected["scores"] = (counts.rows_scored, scores)
        wrong = [
            f"{what}: {wanted} rows expected, {found} found"
            for what, (wanted, found) in expected.items()
            if wanted != found
        ]
        if wrong:
            message = (
                f"The rows of {entry.date} do not add up ({'; '.join(wrong)}). Nothing was "
                "published; run `adlib preprocess` again, and then `adlib score`."
            )
            raise AdlibError(message)


def _rows(publication: Publication, table: str, day: date) -> int:
    file = publication.files[table].get(day)
    return 0 if file is None else file.rows


def publish(publication: Publication, entry: DateLedger, summary: Summary) -> None:
    """Publish the tables of one date, then the record that they belong together."""
    staged: dict[str, list[Path]] = {
        table: [files[entry.date].path] if entry.date in files else []
        for table, files in publication.files.items()
    }
    if not staged["anomalies"]:
        staged["anomalies"] = [write_empty(publication.anomalies_schema, publication.staging)]
    staged["daily_summary"] = [_daily_summary(publication, entry.date)]
    names = publish_date(publication.output, StagedDate(entry.date, staged), publication.staging)
    record = _record(publication, entry, summary, names["anomalies"][0])
    write_record(publication.output, record, publication.staging / "record")


def _daily_summary(publication: Publication, day: date) -> Path:
    counts = publication.counts_of(day)
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
    publication: Publication, entry: DateLedger, summary: Summary, anomalies_file: str
) -> RunRecord:
    model, counts = publication.model, publication.counts_of(entry.date)
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
