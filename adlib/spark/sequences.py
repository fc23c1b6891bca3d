"""What came before a row: the values of its entity's last few events, as arrays.

Events are put in order by time, then by the order column, then by content, so that an array does
not depend on how the table was partitioned. Events that share a row's time and order are not before
it. Among earlier ones the last `length - 1` count, unless they lie further back than `within`: so a
date's arrays are the same whether its past was read as a whole or as far as that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from adlib.spark.ledger import EVENT
from adlib.spark.values import column
from adlib.spark.windows import parse_duration

_MICROSECOND = timedelta(microseconds=1)
_NULL_ENTITY_GROUPS = 1009

_MICROS = "adlib past micros"
_GROUP = "adlib past group"
_EVENT = "adlib past event"
_MOMENT = "adlib past moment"
_PLACE = "adlib past place"
_LATEST = "adlib past latest"
_BEFORE = "adlib past before"


@dataclass(frozen=True)
class SequenceSpec:
    """Whose events, in which order, how many with the row itself, and how far back."""

    by: str
    order: str | None
    """Of events of one time; None: time alone says."""
    length: int
    within: str

    @property
    def steps(self) -> int:
        """How many earlier events there are at most."""
        return self.length - 1

    @property
    def lookback(self) -> timedelta:
        """How far back an earlier event may lie."""
        return parse_duration(self.within)


def past_name(name: str, by: str) -> str:
    """Return what the feature table calls the earlier values of a column."""
    return f"{name}_past_by_{by}"


def add_past(table: DataFrame, spec: SequenceSpec, values: Mapping[str, Column]) -> DataFrame:
    """Add an array of earlier values for each of some columns, given by what they hold.

    The table has the event's time and `row_hash`. Arrays hold the oldest value first, null where
    an event had none, and no more values than there were events; all of a row are of one length.
    """
    moments = _with_moments(table, spec, values)
    entity = Window.partitionBy(column(spec.by), column(_GROUP)).orderBy(column(_MOMENT))
    moment_before = entity.rangeBetween(-1, -1)
    latest = F.max_by(column(_LATEST), column(_PLACE)).over(moment_before)
    before = moments.withColumn(_BEFORE, F.when(column(spec.by).isNotNull(), latest))
    arrays = {
        past_name(name, spec.by): F.transform(_near(spec), _field(place))
        for place, name in enumerate(values)
    }
    added = (F.coalesce(array, F.array()).alias(name) for name, array in arrays.items())
    return before.select(*map(column, table.columns), *added)


def _with_moments(table: DataFrame, spec: SequenceSpec, values: Mapping[str, Column]) -> DataFrame:
    """Number each entity's moments, and gather at each row the latest events with its own."""
    told = (value.alias(_name(place)) for place, value in enumerate(values.values()))
    events = table.withColumns(
        {
            _MICROS: F.unix_micros(column(EVENT)),
            _GROUP: F.when(column(spec.by).isNull(), _scattered()),
            _EVENT: F.struct(F.unix_micros(column(EVENT)).alias("at"), *told),
        }
    )
    moment = [column(_MICROS), *([] if spec.order is None else [column(spec.order)])]
    entity = Window.partitionBy(column(spec.by), column(_GROUP))
    in_order = entity.orderBy(*moment, column("row_hash"))
    latest = F.collect_list(column(_EVENT)).over(in_order.rowsBetween(1 - spec.steps, 0))
    return events.withColumns(
        {
            _MOMENT: F.dense_rank().over(entity.orderBy(*moment)),
            _PLACE: F.row_number().over(in_order),
            _LATEST: latest,
        }
    )


def _scattered() -> Column:
    """Scatter the rows without an entity, which would otherwise be one enormous entity."""
    return F.pmod(F.xxhash64(column("row_hash")), F.lit(_NULL_ENTITY_GROUPS))


def _near(spec: SequenceSpec) -> Column:
    """Return the events before a row that do not lie too far back; all where there is no time."""
    oldest = column(_MICROS) - F.lit(spec.lookback // _MICROSECOND)
    return F.filter(
        column(_BEFORE),
        lambda event: F.coalesce(event["at"] >= oldest, F.lit(True)),  # noqa: FBT003
    )


def _name(place: int) -> str:
    """Return what a column is called within an event."""
    return f"value {place}"


def _field(place: int) -> Callable[[Column], Column]:
    """Return what takes one value out of an event."""
    return lambda event: event[_name(place)]
