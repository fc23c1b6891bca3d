"""What a user of Spark would write to put a PyTorch network over a table."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType

from bench_table import FLOATS
from plain_network import PlainNetwork
from torch_network import ScoringModule

PREDICT_BATCH_ROWS = 2_000
"""A fifth of an Arrow batch of Spark's; 10,000 was slower."""


_QUIET_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True)
class Rivals:
    """The rivals' ways to a column of scores."""

    spark: SparkSession
    network: PlainNetwork
    folder: Path
    """Where MLflow saves its model."""

    def naive_pandas_udf(self) -> Column:
        """Score by a pandas UDF over a struct, a whole Arrow batch at a time."""
        broadcast = self.spark.sparkContext.broadcast(self.network)

        @pandas_udf("double")  # type: ignore[call-overload, untyped-decorator]
        def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
            module = ScoringModule(broadcast.value).eval()
            with torch.inference_mode():
                for batch in batches:
                    rows = torch.from_numpy(batch.to_numpy(dtype=np.float32))
                    yield pd.Series(module(rows).numpy().astype(np.float64))

        scores: Column = score(F.struct(*FLOATS))
        return scores

    def predict_batch_udf(self) -> Column:
        """Score by Spark's own function for batch inference."""
        broadcast = self.spark.sparkContext.broadcast(self.network)

        def make_predict() -> Callable[[np.ndarray], np.ndarray]:
            module = ScoringModule(broadcast.value).eval()

            def predict(inputs: np.ndarray) -> np.ndarray:
                with torch.inference_mode():
                    scores = module(torch.from_numpy(inputs))
                return np.asarray(scores.numpy(), dtype=np.float64)

            return predict

        predict = predict_batch_udf(
            make_predict,
            return_type=DoubleType(),
            batch_size=PREDICT_BATCH_ROWS,
            input_tensor_shapes=[[len(FLOATS)]],
        )
        scores: Column = predict(F.array(*FLOATS))
        return scores

    def mlflow_spark_udf(self) -> Column:
        """Score by a model that MLflow saved, called as its documentation shows."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        from mlflow import pyfunc

        path = self.folder / "mlflow-model"
        if not path.exists():
            save_mlflow_model(self.network, path)
        udf = pyfunc.spark_udf(self.spark, str(path), result_type="double", env_manager="local")
        scores: Column = udf(F.struct(*FLOATS))
        return scores


def save_mlflow_model(network: PlainNetwork, path: Path) -> None:
    """Save the network as a pyfunc with a signature."""
    from mlflow import pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    class Scorer(pyfunc.PythonModel):  # type: ignore[misc]
        """Builds the module when MLflow loads it."""

        def load_context(self, context: Any) -> None:
            del context
            self.module = ScoringModule(network).eval()

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
            del context, params
            with torch.inference_mode():
                rows = torch.from_numpy(model_input.to_numpy(dtype=np.float32))
                return self.module(rows).numpy().astype(np.float64)

    signature = ModelSignature(
        Schema([ColSpec(DataType.float, name) for name in FLOATS]),
        Schema([ColSpec(DataType.double)]),
    )
    requirements = [f"torch=={torch.__version__}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no example of an input is given
        pyfunc.save_model(
            str(path), python_model=Scorer(), signature=signature, pip_requirements=requirements
        )


def write_flagged(
    spark: SparkSession, table: Path, scores: Column, cut: float, directory: Path
) -> None:
    """Write the key and score of the rows whose score reaches the cut.

    Spark's optimizer lets the filter come first and scores the few rows that pass it again.
    """
    scored = spark.read.parquet(str(table)).select("key", scores.alias("anomaly_score"))
    flagged = scored.where(F.col("anomaly_score") >= cut)
    flagged.write.mode("overwrite").parquet(str(directory))
