"""Thresholds that need all scores of a date: counted in a first pass, decided in a second.

The first pass counts scores by narrow bins, in float32, and brings back nothing else. From the
counts follows, for each date, a cut that is surely low enough; the second pass scores as always
with these cuts and brings back somewhat more rows than are wanted, with their exact scores, on
which Spark decides.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from adlib.artifacts import construct
from adlib.model import Model
from adlib.spark.engines import Engine, score_table
from adlib.spark.records import counted_bins
from adlib.spark.scoring import Request
from adlib.spark.tally import bounds_of_bins
from adlib.spark.values import column
from adlib.spark.worker import ANOMALY, RECORD, ROW
from adlib.thresholds import SEVERITIES, SEVERITY_DIVISORS, DateScores, FalseDiscoveries, TopRows

_LOG = logging.getLogger(__name__)
_FLAGGED = "adlib flagged"
_SLACK = 2.0
"""So many times the error that a float32 score can have."""


def score_dates(
    spark: SparkSession, request: Request, engine: Engine, identity: Sequence[str]
) -> DataFrame:
    """Score into records, flagged as the model's threshold says, date by date where it asks so.

    `identity` names carried columns that tell rows of one score apart.
    """
    model = construct(request.parts)
    rule = model.threshold.settings.date_rule()
    if rule is None:
        return score_table(spark, request, engine)
    counting = replace(request, every_row=False, cuts={})
    bins = counted_bins(score_table(spark, counting, engine))
    candidates = score_table(spark, replace(request, cuts=low_cuts(model, bins)), engine).persist()
    if isinstance(rule, TopRows):
        chosen = _strangest(candidates, rule, identity)
    else:
        _tell_of_resolution(rule, len(model.threshold.ordinary), bins)
        chosen = _discovered(candidates, rule, model, bins)
    graded = _graded(chosen, len(model.threshold.calibration))
    return graded if request.every_row else graded.where(F.col(RECORD) != ROW)


def _tell_of_resolution(
    rule: FalseDiscoveries, calibration_rows: int, bins: Mapping[date, Mapping[int, int]]
) -> None:
    """Say where a few anomalies of a date could not be told from chance, however strange."""
    rows = max((sum(counts.values()) for counts in bins.values()), default=0)
    fewest = math.ceil(rows / (1 + calibration_rows) / rule.share)
    if fewest > 1:
        _LOG.warning(
            "With %d calibration rows no fewer than %d of the %d rows of a date can be flagged at "
            "threshold.value %g. Raise sample.rows or threshold.value to find fewer.",
            calibration_rows,
            fewest,
            rows,
            rule.share,
        )


def low_cuts(model: Model, bins: Mapping[date, Mapping[int, int]]) -> dict[date, float]:
    """Return for each date a cut that is at most the one that its exact scores will have."""
    cuts = {}
    for day, counts in bins.items():
        places = np.asarray(sorted(counts, reverse=True))
        rows = np.cumsum([counts[place] for place in places.tolist()])
        lowest, highest = bounds_of_bins(places)
        cut = model.threshold.date_cut(DateScores(lowest, highest, rows, int(rows[-1])))
        error = _SLACK * float(model.screen_error(np.asarray(cut)))
        cuts[day] = cut - error if np.isfinite(cut) else cut
    return cuts


def _strangest(candidates: DataFrame, rule: TopRows, identity: Sequence[str]) -> DataFrame:
    """Mark the so many strangest rows of each date; of equal scores the first by identity."""
    order = [F.col("anomaly_score").desc(), *(column(name).asc() for name in identity)]
    within = Window.partitionBy("event_date", RECORD).orderBy(*order)
    return _marked(candidates, F.row_number().over(within) <= rule.count)


def _discovered(
    candidates: DataFrame,
    rule: FalseDiscoveries,
    model: Model,
    bins: Mapping[date, Mapping[int, int]],
) -> DataFrame:
    """Mark every row from the lowest score on that keeps the bound on false discoveries."""
    known, ordinary = len(model.threshold.calibration), len(model.threshold.ordinary)
    rank = F.greatest(F.lit(1), _rank(known) - (known - ordinary))
    rows = F.create_map(*(F.lit(part) for day in bins for part in (day, sum(bins[day].values()))))
    of_date = Window.partitionBy("event_date", RECORD)
    reach = F.count(F.lit(1)).over(of_date.orderBy(F.col("anomaly_score").desc()))
    allowed = rule.share * reach / rows[F.col("event_date")]
    keeps = rank / F.lit(1.0 + ordinary) <= allowed
    cut = F.min(F.when(keeps, F.col("anomaly_score"))).over(of_date)
    return _marked(candidates, F.col("anomaly_score") >= F.coalesce(cut, F.lit(np.inf)))


def _marked(candidates: DataFrame, wanted: Column) -> DataFrame:
    """Turn candidates that are not wanted into rows like all others."""
    flagged = (F.col(RECORD) == ANOMALY) & wanted
    return (
        candidates.withColumn(_FLAGGED, flagged)
        .withColumn("is_anomaly", F.when(F.col("is_anomaly").isNotNull(), F.col(_FLAGGED)))
        .withColumn(
            RECORD,
            F.when((F.col(RECORD) == ANOMALY) & ~F.col(_FLAGGED), F.lit(ROW))
            .otherwise(F.col(RECORD))
            .cast("byte"),
        )
        .drop(_FLAGGED)
    )


def _graded(records: DataFrame, calibration_rows: int) -> DataFrame:
    """Grade flagged rows by their p-value beside that of their date's last flagged row."""
    rank, of_date = _rank(calibration_rows), Window.partitionBy("event_date", RECORD)
    at_cut = F.max(rank).over(of_date)
    grade = F.lit(SEVERITIES[0])
    for divisor, severity in zip(SEVERITY_DIVISORS, SEVERITIES[1:], strict=True):
        grade = F.when(rank * divisor <= at_cut, F.lit(severity)).otherwise(grade)
    grade = F.when(rank == 1, F.lit(SEVERITIES[-1])).otherwise(grade)
    return records.withColumn("severity", F.when(F.col(RECORD) == ANOMALY, grade))


def _rank(calibration_rows: int) -> Column:
    """Return 1 + the calibration rows at least as strange."""
    return F.round(F.col("p_value") * (1 + calibration_rows)).cast("long")
