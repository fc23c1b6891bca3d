"""Values of a run's page, made up: of any number of dates, columns and rows, names all hostile."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from adlib.report.values import (
    Axis,
    DateFigures,
    DrivenColumn,
    Evaluation,
    FlaggedFigures,
    Health,
    QuarantineFigures,
    ReasonPart,
    Report,
    RunFigures,
    SampleFigures,
    Setting,
    StrangeRow,
)

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "'; background: url(https://example.com/x); '",
    "</style><style>body{display:none}</style>",
    "مبلغ المعاملة \u202e right to left",
    "🦄 émoji 表 $x^2$ \\frac{",
    "nul\x00 bell\x07 lone\ud800",
    "a" * 3_000,
    "{{ 7 * 7 }} {% raw %} &amp; &lt;",
)
START = datetime(2026, 3, 1, 4, tzinfo=UTC)


def name_of(place, names=HOSTILE):
    return names[place % len(names)] + str(place)


def run_figures(dates=8, rows=10_000_000, flagged=52_000, **changes):
    days = tuple(date(2026, 3, 1) + timedelta(days=day) for day in range(dates))
    plain = {
        "run_id": "01b72edbe959c187",
        "days": days,
        "superseded": (),
        "started_at": START,
        "ended_at": START + timedelta(minutes=4),
        "rows_read": rows + 120,
        "context_rows": 0,
        "rows_scored": rows,
        "rows_flagged": flagged,
        "short_history_rows": 31,
        "quarantined": {"duplicate": 80, "missing_key": 40},
        "asked_fraction": 0.005,
        "scored_days": days,
        "thresholds": dict.fromkeys(days, 80.3),
        "model_name": "payments",
        "model_version": "50e129be4586252b",
        "input_digests": dict.fromkeys(days, "d"),
        "anomaly_files": dict.fromkeys(days, "anomalies-0.parquet"),
        "seconds": {"preprocess": 88.5, "score": 12.7},
        "over_delivered": (),
    }
    return RunFigures(**{**plain, **changes})


def date_figures(run, rng):
    share = run.rows_flagged // max(1, len(run.days))
    return tuple(
        DateFigures(
            day=day,
            rows_scored=run.rows_scored // len(run.days),
            rows_flagged=share,
            severities={"low": share - 9, "medium": 5, "high": 3, "critical": 1},
            commonest_first_reason="amount",
            median=12.5,
            p99=70.0 + float(rng.uniform(0, 9)),
            highest=190.0,
        )
        for day in run.days
    )


def strange_row(place, names):
    return StrangeRow(
        identity=((name_of(place, names), name_of(place + 1, names)), ("id", str(place))),
        day=date(2026, 3, 2),
        time=START,
        score=190.0 - place,
        percentile=99.9,
        severity=("low", "medium", "high", "critical")[place % 4],
        sentence=f"{name_of(place, names)} is {name_of(place + 2, names)} where about 3 is usual.",
        reasons=tuple(
            ReasonPart(name_of(place + rank, names), name_of(rank, names), "3", 0.5 / rank, "high")
            for rank in (1, 2, 3)
        ),
    )


def flagged_figures(rows=52_000, columns=40, names=HOSTILE):
    return FlaggedFigures(
        rows=rows,
        driven=tuple(
            DrivenColumn(name_of(place, names), 100, 200, 0.4 / (place + 1), {"high": 150})
            for place in range(columns)
        ),
        strangest=tuple(strange_row(place, names) for place in range(25)),
        hours=tuple(range(24)),
        score_edges=tuple(80.3 + 2.0 * edge for edge in range(56)),
        score_counts=tuple(max(1, rows // (edge + 2) ** 2) for edge in range(55)),
    )


def sample_figures(rows=2_000, of_rows=10_000_000, columns=40, names=HOSTILE, seed=7):
    rng = np.random.default_rng(seed)
    scores = rng.gamma(4.0, 5.0, rows)
    flagged = rng.random(rows) < 0.005
    scores[flagged] += 80.3
    places = rng.integers(0, 9, rows).astype(float)
    return SampleFigures(
        of_rows=of_rows,
        scores=scores,
        flagged=flagged,
        health=tuple(
            Health(name_of(place, names), "numeric", 0.01, 0.02, None, None, 0.3, 0.01, "shifted")
            for place in range(columns)
        ),
        latent=rng.normal(size=(rows, 2)) + 4.0 * flagged[:, None],
        explained=(0.41, 0.2),
        of_codes=True,
        scatter=(
            Axis(name_of(4, names), rng.lognormal(5.0, 2.5, rows) * (1 + 40 * flagged)),
            Axis(name_of(5, names), places, tuple(name_of(place, names) for place in range(9))),
        ),
    )


def evaluation(dates=8):
    days = [date(2026, 3, 1) + timedelta(days=day) for day in range(dates)]
    by_date = {
        str(day): {"precision": 0.5, "recall": 0.4 + 0.001 * n} for n, day in enumerate(days)
    }
    line = np.linspace(0.0, 1.0, 200)
    return Evaluation(
        figures={
            "rows": 10_000_000,
            "labelled_rows": 10_000_000,
            "true_positives": 20_000,
            "false_positives": 32_000,
            "false_negatives": 30_000,
            "true_negatives": 9_918_000,
            "precision": 0.385,
            "recall": 0.4,
            "f1": 0.392,
            "accuracy": 0.9938,
            "auroc": 0.91,
            "average_precision": 0.37,
            "by_date": by_date,
            "by_group": {name: {"rows": 10, "recall": 0.3} for name in HOSTILE},
        },
        roc=tuple((float(x), float(x**0.2)) for x in line),
        precision_recall=tuple((float(x), float(1 - 0.9 * x)) for x in line),
    )


def document(curve=200):
    found = {"found": 0.62, "mahalanobis": 0.5, "isolation_forest": 0.43}
    return {
        "id": "50e129be4586252b",
        "detector": {"kind": "blend", "settings": {}},
        "threshold": {"kind": "budget", "settings": {}, "cut": 80.3, "asked_fraction": 0.005},
        "provenance": {
            "rows": {"fit": 160_000, "calibration": 40_000},
            "left_out": {"flagged": 12, "feedback": 0},
            "fit": {
                "steps": 2.0 * curve,
                "loss": 0.4,
                "curve": [[2.0 * step, 1.0 / step] for step in range(1, curve + 1)],
            },
            "self_test": {
                **found,
                "by_kind": {"swapped_value": found, "unseen_category": None},
                "share": 0.005,
                "held_out_rows": 10_000,
                "planted_rows": 5_000,
            },
            "compared": {"with": "7bdab4aa13c96f65", "passed": True, "why": "no worse than it"},
        },
    }


def report(**changes):
    """Return a page's values; a change of `run` is a change of all that depends on it."""
    run = changes.get("run", run_figures())
    rng = np.random.default_rng(3)
    plain = {
        "setting": Setting("payments", "data/payments", "/srv/out", "fraud", "at"),
        "run": run,
        "earlier": (replace(run, run_id="7a", rows_flagged=48_000),),
        "dates": date_figures(run, rng),
        "flagged": flagged_figures(run.rows_flagged),
        "quarantine": (
            QuarantineFigures("missing_key", "id", 40),
            QuarantineFigures("duplicate", None, 80),
        ),
        "model": document(),
        "sample": sample_figures(of_rows=run.rows_scored),
        "evaluation": evaluation(len(run.days)),
    }
    return Report(**{**plain, **changes})
