"""Score each day once it is over: preprocess, score, verify.

Two DAGs that do the same, one by spark-submit and one by Bash: switch on the one you use. Date and
model are fixed before anything runs, so a retry, or clearing a task, does the same work again.
"""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, CronDataIntervalTimetable

from adlib_operators import DEFAULTS, PARAMS, STARTED_DATE, ZONE, AdlibBash, AdlibSubmit

MODEL = '{{ params.model or ti.xcom_pull(task_ids="models")["promoted"] }}'


def daily(dag_id: str, operator: type[AdlibBash | AdlibSubmit]) -> DAG:
    """Return the DAG; `operator` says how Spark is started."""
    with DAG(
        dag_id,
        # At three in the morning, of the day that is over.
        schedule=CronDataIntervalTimetable("0 3 * * *", timezone=ZONE),
        start_date=datetime(2020, 1, 1, tzinfo=ZoneInfo(ZONE)),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params=PARAMS,
        doc_md=__doc__,
        tags=["adlib"],
    ) as dag:
        dated = ("--date", STARTED_DATE)
        models = AdlibBash(task_id="models", command="models list", output_processor=json.loads)
        preprocess = operator(task_id="preprocess", command="preprocess", arguments=dated)
        score = operator(task_id="score", command="score", arguments=(*dated, "--model", MODEL))
        # No Spark: the published files are read and hashed.
        verify = AdlibBash(task_id="verify", command="verify", arguments=dated)
        models >> preprocess >> score >> verify
    return dag


daily_spark = daily("adlib_daily_spark", AdlibSubmit)
daily_bash = daily("adlib_daily_bash", AdlibBash)
