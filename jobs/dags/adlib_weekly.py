"""Train each week on all days before it; the new model is promoted if it passes its gate.

Two DAGs that do the same, one by spark-submit and one by Bash: switch on the one you use. The last
task is skipped where the gate kept the model that was promoted before; the log of train says why.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowSkipException

from adlib_operators import DEFAULTS, ENDED_DATE, PARAMS, ZONE, AdlibBash, AdlibSubmit


def new_model(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the model that training promoted.

    Raises:
        AirflowSkipException: the promoted model is the one of before.
    """
    if before["promoted"] == after["promoted"]:
        raise AirflowSkipException(
            f"{before['promoted']} stays promoted; the log of train says why."
        )
    return str(after["promoted"])


def weekly(dag_id: str, operator: type[AdlibBash | AdlibSubmit]) -> DAG:
    """Return the DAG; `operator` says how Spark is started."""
    with DAG(
        dag_id,
        # On Mondays, an hour after the daily run of Sunday.
        schedule=CronDataIntervalTimetable("0 4 * * 1", timezone=ZONE),
        start_date=datetime(2020, 1, 1, tzinfo=ZoneInfo(ZONE)),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        params={"date": PARAMS["date"]},
        doc_md=__doc__,
        tags=["adlib"],
    ) as dag:
        before = AdlibBash(task_id="before", command="models list", output_processor=json.loads)
        train = operator(task_id="train", command="train", arguments=("--date", ENDED_DATE))
        after = AdlibBash(task_id="after", command="models list", output_processor=json.loads)
        promoted = PythonOperator(
            task_id="promoted",
            python_callable=new_model,
            op_kwargs={"before": before.output, "after": after.output},
        )
        before >> train >> after >> promoted
    return dag


weekly_spark = weekly("adlib_weekly_spark", AdlibSubmit)
weekly_bash = weekly("adlib_weekly_bash", AdlibBash)
