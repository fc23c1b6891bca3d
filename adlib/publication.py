"""From scored records to published dates: check the counts, publish each date, record it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from adlib.artifacts import ModelParts
from adlib.config import Config, config_digest
from adlib.errors import AdlibError
from adlib.job import Job, carried_dates
from adlib.model import Model
from adlib.outputs import DAILY_SUMMARY, SCHEMA_VERSION
from adlib.publishing import StagedDate, publish_date
from adlib.runs import PUBLISHED, RunRecord, write_record, write_rows
from adlib.spark.ledger import DateLedger, Ledger
from adlib.spark.preprocessing import read_quarantine
from adlib.spark.records import (
    DateCounts,
    anomaly_names,
    count_records,
    settle,
    write_anomalies,
    write_quarantine,
    write_scores,
)
from adlib.spark.scoring import Carried, published_type, score_table
from adlib.spark.tables import column
from adlib.spark.writing import WrittenFile, arrow_schema, write_empty
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


def publish_scored(
    job: Job, features: DataFrame, parts: ModelParts, model: Model, ledger: Ledger
) -> Publication:
    """Score, check that the counts add up, and publish date by date."""
    run_id = str(job.summary.figures["run_id"])
    staging = _fresh_directory(job.work / "staging" / run_id)
    with job.summary.stage("score"):
        records = _score_into(job, features, parts, run_id, staging)
        publication = _take_apart(job, records, model, ledger, staging)
    check_counts(publication)
    with job.summary.stage("publish"):
        for entry in ledger.dates:
            publish(publication, entry, job.summary)
    shutil.rmtree(staging)
    return publication


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


def _score_into(
    job: Job, features: DataFrame, parts: ModelParts, run_id: str, staging: Path
) -> DataFrame:
    """Score every row once; return the records, read back from where they were written."""
    identity = [*_key(job), *job.config.source.keep]
    carried = [*carried_dates(job), *_identity(identity, features.schema)]
    every_row = job.config.output.scores
    scored = score_table(job.spark, features, parts, carried, run_id=run_id, every_row=every_row)
    return settle(job.spark, scored, staging / "records")


def _take_apart(
    job: Job, records: DataFrame, model: Model, ledger: Ledger, staging: Path
) -> Publication:
    """Write the files of each date and count what is in them."""
    key = _key(job)
    identity = [*key, *job.config.source.keep]
    rows = records.select(*map(column, anomaly_names(identity)))
    files = {
        "anomalies": write_anomalies(records, identity, staging / "anomalies"),
        "scores": {},
        "quarantine": {},
    }
    if job.config.output.scores:
        files["scores"] = write_scores(records, key, staging / "scores")
    if any(entry.quarantined for entry in ledger.dates):
        quarantine = read_quarantine(job.spark, job.work, [entry.date for entry in ledger.dates])
        files["quarantine"] = write_quarantine(quarantine, staging / "quarantine")
    return Publication(
        config=job.config,
        model=model,
        model_id=str(job.summary.figures["model"]),
        run_id=str(job.summary.figures["run_id"]),
        ledger=ledger,
        counts=count_records(records),
        files=files,
        anomalies_schema=arrow_schema(rows.schema),
        staging=staging,
    )


def _identity(names: Sequence[str], schema: T.StructType) -> list[Carried]:
    """Return key and kept columns in the types that the outputs allow."""
    return [Carried(name, *published_type(column(name), schema[name].dataType)) for name in names]


def _key(job: Job) -> list[str]:
    """Return what identifies a row."""
    return list(job.config.source.key) or ["row_hash"]


def _fresh_directory(directory: Path) -> Path:
    """Return an empty directory; what an earlier attempt left there goes."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory
