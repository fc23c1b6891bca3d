"""From scored records to published dates: check the counts, publish each date, record it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from adlib.artifacts import ModelParts, construct
from adlib.config import Config, config_digest
from adlib.errors import AdlibError
from adlib.job import Job, carried_columns, carried_time, dates_of, key_of
from adlib.outputs import ANOMALIES, DAILY_SUMMARY, QUARANTINE, RUNS, SCHEMA_VERSION, SCORES
from adlib.publishing import Bundle, CountedTable, Manifest, Publisher
from adlib.readers import Published, write_guide
from adlib.runs import PUBLISHED, RunRecord, over_delivers, write_rows
from adlib.runs import arrow_schema as schema_of
from adlib.spark.explaining import Explaining, explain_strangest
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
from adlib.spark.scoring import Request
from adlib.spark.second_pass import score_dates
from adlib.spark.values import column
from adlib.spark.workplace import staging_directory
from adlib.spark.writing import WrittenFile, arrow_schema, write_empty
from adlib.summary import Summary
from adlib.thresholds import Threshold, TopRows

_CONTRACT_TYPES: dict[type[T.DataType], str] = {
    T.LongType: "BIGINT",
    T.DoubleType: "DOUBLE",
    T.BooleanType: "BOOLEAN",
    T.StringType: "STRING",
    T.DateType: "DATE",
    T.TimestampType: "TIMESTAMP",
}


@dataclass(frozen=True)
class Publication:
    """What is being published: by whom, from where, to where."""

    config: Config
    parts: ModelParts
    run_id: str
    ledger: Ledger
    counts: Mapping[date, DateCounts]
    files: Mapping[str, Mapping[date, WrittenFile]]
    """Of `anomalies`, `scores` and `quarantine`: the finished file of each date."""
    staging: Path

    @property
    def output(self) -> Path:
        """Where the published tables are."""
        return self.config.output.path.resolve()

    @cached_property
    def threshold(self) -> Threshold:
        """The model's threshold."""
        return construct(self.parts).threshold

    def counts_of(self, day: date) -> DateCounts:
        """Return what was scored of a date."""
        return self.counts.get(day, DateCounts())


def publish_scored(
    job: Job, features: DataFrame, parts: ModelParts, ledger: Ledger, run_id: str
) -> Mapping[date, DateCounts]:
    """Score, check that the counts add up, and publish date by date; return what was counted."""
    with _staging(staging_directory(job.work) / run_id) as staging:
        with job.summary.stage("score"):
            records = _score_into(job, features, parts, run_id, staging)
            files = _files(job, records, ledger, staging)
            publication = Publication(
                job.config, parts, run_id, ledger, count_records(records), files, staging
            )
        check_counts(publication)
        with job.summary.stage("publish"):
            publish(publication, ledger.dates, job.summary)
    return publication.counts


def check_counts(publication: Publication) -> None:
    """Hold what was scored and written against what preprocess counted.

    The identity of the ledger: rows read are those scored and those quarantined, copies of a key
    among them; and as many stand in the files as were counted.

    Raises:
        AdlibError: if a row was lost or came twice.
    """
    for entry in publication.ledger.dates:
        counts = publication.counts_of(entry.date)
        expected = {
            "read": (entry.rows_read, counts.rows_scored + sum(entry.quarantined.values())),
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


def publish(publication: Publication, entries: Sequence[DateLedger], summary: Summary) -> None:
    """Prepare every date, then publish one after the other, each with its record."""
    publisher = Publisher(publication.output)
    bundles: list[Bundle] = []
    try:
        for entry in summary.over(entries, "dates"):
            bundles.append(publisher.open(entry.date))
            _prepare(publication, publisher, bundles[-1], entry, summary)
        publisher.publish(bundles)
    finally:
        publisher.discard(bundles)


def _prepare(
    publication: Publication,
    publisher: Publisher,
    bundle: Bundle,
    entry: DateLedger,
    summary: Summary,
) -> None:
    """Stage and seal the tables of one date and the record that they belong together."""
    run_id = publication.run_id
    manifest = publisher.stage(bundle, run_id, _tables(publication, entry))
    record = _record(publication, entry, summary, manifest)
    file = write_rows([record.row()], RUNS, publication.staging / "record")
    publisher.seal(bundle, manifest, file, run_id)


def _tables(publication: Publication, entry: DateLedger) -> dict[str, CountedTable]:
    """Return what is to be published of one date, with the rows that were counted."""
    counts, day = publication.counts_of(entry.date), entry.date
    rows = {
        "anomalies": counts.rows_flagged,
        "quarantine": sum(entry.quarantined.values()),
        "scores": counts.rows_scored if publication.config.output.scores else 0,
    }
    ours = {"anomalies": ANOMALIES, "scores": SCORES, "quarantine": QUARANTINE}
    tables = {
        table: CountedTable(
            [files[day].path] if day in files else [], rows[table], schema_of(ours[table])
        )
        for table, files in publication.files.items()
    }
    file = _daily_summary(publication, day)
    return {**tables, "daily_summary": CountedTable([file], 1, schema_of(DAILY_SUMMARY))}


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
        "model_version": publication.parts.model_id,
        "schema_version": SCHEMA_VERSION,
    }
    return write_rows([row], DAILY_SUMMARY, publication.staging / "daily_summary")


def _record(
    publication: Publication, entry: DateLedger, summary: Summary, manifest: Manifest
) -> RunRecord:
    counts, model = publication.counts_of(entry.date), publication.parts.document
    threshold, times = publication.threshold, publication.config.alert.times_asked
    asked = _asked_of(threshold, counts)
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
        asked_fraction=asked,
        over_delivered=over_delivers(counts.rows_flagged, counts.rows_scored, asked, times),
        threshold=threshold.cut
        if threshold.settings.date_rule() is None
        else counts.lowest_flagged,
        model_name=model["name"],
        model_version=publication.parts.model_id,
        config_digest=config_digest(publication.config),
        input_digest=entry.input_digest,
        seconds_by_stage=summary.seconds,
        anomalies_file=manifest.tables["anomalies"][0].name,
        manifest_digest=manifest.digest,
    )


def _asked_of(threshold: Threshold, counts: DateCounts) -> float | None:
    """Return the share of a date's rows that was asked for, None where none is."""
    rule = threshold.settings.date_rule()
    if rule is None:
        return threshold.asked_fraction
    if isinstance(rule, TopRows) and counts.rows_scored:
        return min(1.0, rule.count / counts.rows_scored)
    return None


def _score_into(
    job: Job, features: DataFrame, parts: ModelParts, run_id: str, staging: Path
) -> DataFrame:
    """Score every row once, and explain; return the records, read back from where they lie."""
    identity = (*key_of(job), *job.config.source.keep)
    explaining = Explaining.of(parts, job.config.explain.limit, identity)
    request = Request(
        table=features,
        dates=dates_of(job),
        parts=parts,
        carried=(carried_time(job), *carried_columns(identity, features.schema)),
        run_id=run_id,
        every_row=job.config.output.scores,
        of_flagged=explaining.carried(features.schema) if explaining else (),
    )
    records = score_dates(job.spark, request, job.engine, identity)
    settled = settle(job.spark, records, staging / "records")
    if explaining is None:
        return settled
    told, rows = explain_strangest(job.spark, settled, explaining, staging / "explained")
    job.summary.add(rows_explained=rows, explained_by=explaining.method)
    return told


def _files(
    job: Job, records: DataFrame, ledger: Ledger, staging: Path
) -> dict[str, dict[date, WrittenFile]]:
    """Write the files of each date; a date without anomalies gets a file without rows."""
    key, days = key_of(job), [entry.date for entry in ledger.dates]
    identity = [*key, *job.config.source.keep]
    anomalies = write_anomalies(records, identity, staging / "anomalies")
    schema = arrow_schema(records.select(*map(column, anomaly_names(identity))).schema)
    for day in days:
        if day not in anomalies:
            anomalies[day] = WrittenFile(write_empty(schema, staging / "anomalies"), 0)
    scores, quarantine = {}, {}
    if job.config.output.scores:
        scores = write_scores(records, key, staging / "scores")
    if any(entry.quarantined for entry in ledger.dates):
        rows = read_quarantine(job.spark, job.work, days)
        quarantine = write_quarantine(rows, staging / "quarantine")
    return {"anomalies": anomalies, "scores": scores, "quarantine": quarantine}


@contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """Lend an empty directory; it goes when the run ends, however it ends."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def guide_readers(job: Job, schema: T.StructType) -> None:
    """Write beside the published tables what their columns mean and how to query them.

    `schema` is the feature table's.
    """
    key, kept = (
        {entry.name: _CONTRACT_TYPES[type(entry.type)] for entry in carried_columns(names, schema)}
        for names in (job.config.source.key, job.config.source.keep)
    )
    write_guide(Published(job.config.name, job.output, key, kept))
