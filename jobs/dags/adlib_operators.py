"""What the DAGs share: how a task calls adlib, and what its exit code means to Airflow.

An operator turns adlib's exit codes 2 to 4 into a failure without a retry: the same call would end
the same. Everything else may be tried again, since a rerun replaces its date or finds it published:
5 (another run has the date, or a killed one has not lost it yet), 75, 1, and a killed process.

Spark runs in client mode, for cluster mode loses the exit code.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Connection, Param
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)

ZONE = "UTC"
"""Where a date begins: the configuration's source.timezone."""

DEFAULTS = {
    "pool": "adlib",
    "retries": 3,
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(hours=1),
    "execution_timeout": timedelta(hours=6),
}
"""Of every task. The first wait is Airflow's core.default_task_retry_delay, 5 minutes."""

PARAMS = {
    "date": Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The date to work on; the run's own if empty.",
    ),
    "model": Param(
        None,
        type=["null", "string"],
        pattern=r"^[0-9a-f]+$",
        description="The model to score with; the promoted one if empty.",
    ),
}
"""Both end up in a command, so nothing but what they are passes."""

_DATE_OF = (
    '{{{{ params.date or ({moment}.in_timezone("{zone}").to_date_string()'
    ' if {moment} is defined and {moment} else "") }}}}'
)
"""Empty for a run that has neither a date nor an interval; adlib refuses that in a sentence."""

STARTED_DATE = _DATE_OF.format(moment="data_interval_start", zone=ZONE)
"""The date that the run's interval begins on: the day that is over when a daily run starts."""

ENDED_DATE = _DATE_OF.format(moment="data_interval_end", zone=ZONE)
"""The date that the run's interval ends on: training takes what came before it."""

_HOME = "{{ var.value.adlib_home }}"
_PYTHON = ".venv/bin/python"
_CONFIG = ("--config", "{{ var.value.adlib_config }}")

_CONNECTION = "adlib_spark"

_HOPELESS = {
    2: "the configuration or the call is wrong",
    3: "the input breaks its contract",
    4: "the model is refused",
}
_SUBMIT_CODE = re.compile(r"Error code is: (\d+)")


class AdlibBash(BashOperator):
    """An adlib command in the project's own environment; returns its last line, the summary."""

    def __init__(self, *, command: str, arguments: Sequence[str] = (), **settings: Any) -> None:
        words = [_PYTHON, "-m", "adlib", *command.split(), *_CONFIG, *arguments, "--json"]
        super().__init__(
            bash_command=shlex.join(words), cwd=_HOME, skip_on_exit_code=None, **settings
        )

    def execute(self, context: Any) -> Any:
        """Run the command.

        Raises:
            AirflowException: it ended with an exit code other than 0.
        """
        try:
            return super().execute(context)
        except AirflowException as error:
            ended = self.subprocess_hook.sub_process
            raise _judged(error, None if ended is None else ended.returncode) from error


class AdlibSubmit(SparkSubmitOperator):
    """An adlib command by spark-submit: a file of `jobs/`, with the package as a zip."""

    def __init__(self, *, command: str, arguments: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(
            application=f"{_HOME}/jobs/{command}.py",
            application_args=[*_CONFIG, *arguments, "--json"],
            conn_id=_CONNECTION,
            deploy_mode="client",
            env_vars={"PYSPARK_DRIVER_PYTHON": f"{_HOME}/{_PYTHON}"},
            name=f"adlib {command}",
            properties_file="{{ var.value.adlib_spark_conf }}",
            py_files=f"{_HOME}/adlib.zip",
            **settings,
        )

    def execute(self, context: Any) -> None:
        """Submit the command and wait for its end.

        Raises:
            AirflowException: it ended with an exit code other than 0.
        """
        _refuse_missing(_CONNECTION)
        try:
            super().execute(context)
        except AirflowException as error:
            code = _SUBMIT_CODE.search(str(error))
            raise _judged(error, None if code is None else int(code[1])) from error


def _judged(error: AirflowException, code: int | None) -> AirflowException:
    """Return what Airflow is to see of a failure: one without a retry, or the failure itself."""
    why = _HOPELESS.get(-1 if code is None else code)
    if why is None:
        return error
    return AirflowFailException(
        f"adlib ended with exit code {code}: {why}, so a retry would end the same. The log says "
        "what to do; then clear this task."
    )


def _refuse_missing(connection: str) -> None:
    """Refuse to submit where the connection is missing: Airflow would take YARN for it.

    Raises:
        AirflowFailException: there is no such connection.
    """
    try:
        Connection.get(connection)
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"There is no connection {connection}. Add it: airflow connections add {connection} "
            "--conn-type spark --conn-host MASTER, then clear this task."
        ) from error
