"""A seeded sample of the feature table, the same whatever the partitions, files or cluster.

A row is drawn when a hash of its key and the seed falls below a cut. Where there is no key the hash
is of the content, and of a number for each copy of it, so that rows that are equal are drawn one by
one. The hash also orders the sample, so its last rows are a random part of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from adlib.encoding.words import LONGEST_TEXT
from adlib.errors import InputError
from adlib.spark.hygiene import (
    FEEDBACK,
    FLAGGED,
    LEARNED,
    SHORT_HISTORY,
    Exclusions,
    leave_out,
    with_full_history,
)
from adlib.spark.values import column

DRAW, ROW_HASH, COPY = "adlib draw", "row_hash", "adlib copy"
_DRAW_BITS = 53
_SIGMAS = 4.0
"""Draw this many standard deviations more than the cap, then cut to the cap exactly."""
_BYTES_PER_NUMBER = 8
_MOST_COPIES_DRAWN = 100_000


@dataclass(frozen=True)
class SampleRequest:
    """How much of which rows is wanted."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    """The columns that may become features."""
    rows: int
    megabytes: int
    seed: int
    before: date | None
    """Rows of this date and later are not eligible."""
    has_dates: bool
    exclusions: Exclusions = field(default_factory=Exclusions)
    earlier_values: int = 0
    """How many values of earlier events a row holds in arrays, at most."""


@dataclass(frozen=True)
class Sample:
    """A sample that is planned but not yet collected."""

    table: DataFrame
    """The columns, `DRAW` and `ROW_HASH` to order by, `LEARNED`; a few rows more than `rows`."""
    rows: int
    eligible_rows: int
    days: int | None
    """Of how many dates the rows that count are; None where they have none."""
    rows_per_day: float | None
    left_out: Mapping[str, int]
    """Why rows were not eligible, to how many; anomalies among them calibrate all the same."""


def plan_sample(features: DataFrame, request: SampleRequest) -> Sample:
    """Count what is eligible and say which rows to draw; nothing is collected but the counts.

    Raises:
        InputError: if no row is eligible.
    """
    if request.before is not None:
        features = features.where(F.col("dt") < F.lit(request.before))
    features, short = with_full_history(features)
    features, left_out = leave_out(features, request.exclusions)
    texts = _texts(features, request)
    rows, days, characters = _count(features, texts, has_dates=request.has_dates)
    eligible = rows - left_out[FLAGGED] - left_out[FEEDBACK]
    if eligible == 0:
        raise _nothing(request.before, left_out)
    cap = _cap(request, rows, characters)
    return Sample(
        _drawn(features, request, texts, _cut(cap, rows)),
        min(cap, rows),
        eligible,
        days if request.has_dates else None,
        rows / days if days else None,
        {**left_out, SHORT_HISTORY: short},
    )


def plan_glimpse(features: DataFrame, request: SampleRequest) -> Sample:
    """Say which rows to draw of a whole table, whatever they are: to look at, not to learn from."""
    texts = _texts(features, request)
    rows, _, characters = _count(features, texts, has_dates=False)
    cap = _cap(request, rows, characters)
    every = features.withColumn(LEARNED, F.lit(True))  # noqa: FBT003
    drawn = _drawn(every, request, texts, _cut(cap, max(1, rows)))
    return Sample(drawn, min(cap, rows), rows, None, None, {})


def _texts(features: DataFrame, request: SampleRequest) -> list[str]:
    """Return the columns wanted that hold strings."""
    return [
        found.name
        for found in features.schema.fields
        if found.name in request.columns and isinstance(found.dataType, T.StringType)
    ]


def _cap(request: SampleRequest, rows: int, characters: int) -> int:
    """Return how many rows may be drawn, by number and by size."""
    values = len(request.columns) + request.earlier_values
    row_bytes = _BYTES_PER_NUMBER * values + characters / max(1, rows)
    return max(1, min(request.rows, int(request.megabytes * 1e6 / row_bytes)))


def _drawn(
    features: DataFrame, request: SampleRequest, texts: Sequence[str], cut: int
) -> DataFrame:
    """Return the rows whose draw is below the cut."""
    drawn = (
        _draw_by_key(features, request, cut)
        if request.key
        else _draw_copies(features, request, cut)
    )
    chosen = [column(name) if name not in texts else _clipped(name) for name in request.columns]
    return drawn.select(*chosen, DRAW, ROW_HASH, LEARNED)


def _nothing(before: date | None, left_out: Mapping[str, int]) -> InputError:
    if any(left_out.values()):
        why = ", ".join(f"{reason} {rows}" for reason, rows in left_out.items())
        message = (
            f"Training needs rows, found all of them left out ({why}). Widen source.path, or "
            "change train.exclude_dates, train.feedback, train.exclude_flagged or "
            "quarantine.limit."
        )
        return InputError(message)
    if before is None:
        return InputError.nothing_to_read(
            "the feature table",
            "Run `adlib preprocess`; if it ran, its quarantine under work.path says why.",
        )
    return InputError.nothing_to_read(
        f"the feature table before {before.isoformat()}",
        "Training uses earlier dates only: preprocess them first, without --date or one by one.",
    )


def _count(features: DataFrame, texts: Sequence[str], *, has_dates: bool) -> tuple[int, int, int]:
    """Return the rows, their dates and the characters of their strings."""
    lengths = [
        F.sum(F.least(_length(name), F.lit(LONGEST_TEXT))).alias(f"length {place}")
        for place, name in enumerate(texts)
    ]
    days = F.countDistinct("dt") if has_dates else F.lit(0)
    counted = features.agg(F.count(F.lit(1)), days, *lengths).first()
    if counted is None:
        return 0, 0, 0
    rows, dates, *characters = counted
    return int(rows), int(dates), sum(int(count or 0) for count in characters)


def _length(name: str) -> Column:
    """Return the characters of a string, 0 where it is missing: Spark's least passes over nulls."""
    return F.coalesce(F.length(column(name)), F.lit(0))


def _cut(cap: int, eligible: int) -> int:
    """Return the draw below which a row is taken: in all likelihood a few more than the cap."""
    wanted = cap + _SIGMAS * math.sqrt(cap)
    share = min(1.0, wanted / eligible)
    return math.floor(share * float(2**_DRAW_BITS))


def _draw(seed: int, *parts: Column) -> Column:
    """Return a number from 0 to 2^53 that depends on the seed and the parts alone."""
    flagged = [piece for part in parts for piece in (part.isNull(), part)]
    return F.shiftrightunsigned(F.xxhash64(F.lit(seed), *flagged), 64 - _DRAW_BITS)


def _draw_by_key(features: DataFrame, request: SampleRequest, cut: int) -> DataFrame:
    draw = _draw(request.seed, *(column(name) for name in request.key))
    return features.withColumn(DRAW, draw).where(F.col(DRAW) < F.lit(cut))


def _draw_copies(features: DataFrame, request: SampleRequest, cut: int) -> DataFrame:
    """Draw among the copies of each content, then take the content once for each copy drawn."""
    copies = F.sequence(F.lit(1), F.least(F.col("count"), F.lit(_MOST_COPIES_DRAWN)).cast("int"))
    share = cut / 2**_DRAW_BITS
    many = F.sequence(F.lit(1), F.greatest(F.lit(1), F.round(F.col("count") * share)).cast("int"))
    drawn = F.filter(copies, lambda copy: _draw(request.seed, F.col(ROW_HASH), copy) < F.lit(cut))
    chosen = (
        features.groupBy(ROW_HASH)
        .count()
        .withColumn(COPY, F.when(F.col("count") > _MOST_COPIES_DRAWN, many).otherwise(drawn))
        .where(F.size(COPY) > 0)
        .select(ROW_HASH, COPY)
    )
    once = features.join(chosen, ROW_HASH).dropDuplicates([ROW_HASH])
    exploded = once.withColumn(COPY, F.explode(COPY))
    return exploded.withColumn(DRAW, _draw(request.seed, F.col(ROW_HASH), F.col(COPY)))


def _clipped(name: str) -> Column:
    """Cut long strings to what the encoder looks at."""
    return F.substring(column(name), 1, LONGEST_TEXT).alias(name)
