"""Which keys say where runs are logged to."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from adlib.config.section import Section

_STORE = re.compile(
    r"(https?|(sqlite|postgresql|mysql|mssql)(\+[a-z0-9]+)?)://.|databricks(://.+)?$"
)


class MlflowConfig(Section):
    """Where train and run are logged to."""

    tracking_uri: str = Field(
        description="A tracking server (https://host), a database (sqlite:///mlflow.db) or "
        "databricks. What a server asks of secrets MLflow takes from the environment."
    )
    experiment: str = Field("adlib", min_length=1, description="Made where it is not there.")

    @field_validator("tracking_uri")
    @classmethod
    def _is_a_store(cls, value: str) -> str:
        if not _STORE.match(value):
            message = (
                "expected https://, http://, sqlite:///, postgresql://, mysql:// or mssql:// and "
                "where it is, or databricks"
            )
            raise ValueError(message)
        return value
