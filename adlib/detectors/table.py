"""The detectors by name: adding one is its file and one row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adlib.arrays import Layout, Tensors
from adlib.detectors.autoencoder import AutoencoderSettings
from adlib.detectors.base import Detector, DetectorSettings
from adlib.detectors.blend import BlendSettings
from adlib.detectors.conv_autoencoder import ConvAutoencoderSettings
from adlib.detectors.dbscan import DbscanSettings
from adlib.detectors.dense_autoencoder import DenseAutoencoderSettings
from adlib.detectors.gan import GanSettings
from adlib.detectors.gmm import GmmSettings
from adlib.detectors.histogram import HistogramSettings
from adlib.detectors.isolation_forest import IsolationForestSettings
from adlib.detectors.kmeans import KmeansSettings
from adlib.detectors.knn import KnnSettings
from adlib.detectors.mahalanobis import MahalanobisSettings
from adlib.detectors.pca import PcaSettings
from adlib.detectors.recurrent_autoencoder import RecurrentAutoencoderSettings
from adlib.detectors.siamese import SiameseSettings
from adlib.detectors.vae import VaeSettings
from adlib.errors import ModelError

DETECTORS: Mapping[str, type[DetectorSettings]] = {
    AutoencoderSettings.kind: AutoencoderSettings,
    BlendSettings.kind: BlendSettings,
    ConvAutoencoderSettings.kind: ConvAutoencoderSettings,
    DbscanSettings.kind: DbscanSettings,
    DenseAutoencoderSettings.kind: DenseAutoencoderSettings,
    GanSettings.kind: GanSettings,
    GmmSettings.kind: GmmSettings,
    HistogramSettings.kind: HistogramSettings,
    IsolationForestSettings.kind: IsolationForestSettings,
    KmeansSettings.kind: KmeansSettings,
    KnnSettings.kind: KnnSettings,
    MahalanobisSettings.kind: MahalanobisSettings,
    PcaSettings.kind: PcaSettings,
    RecurrentAutoencoderSettings.kind: RecurrentAutoencoderSettings,
    SiameseSettings.kind: SiameseSettings,
    VaeSettings.kind: VaeSettings,
}


def settings_from_plain(kind: str, plain: Mapping[str, Any]) -> DetectorSettings:
    """Build a detector's settings from plain JSON values.

    Raises:
        ModelError: if this version does not know the kind.
    """
    if kind not in DETECTORS:
        message = (
            f"The model is of kind {kind!r}; this version knows {', '.join(DETECTORS)}. "
            "Score with the version that trained it, or train again."
        )
        raise ModelError(message)
    fields = {key: tuple(part) if isinstance(part, list) else part for key, part in plain.items()}
    return DETECTORS[kind](**fields)


def detector_from_parts(
    kind: str, plain: Mapping[str, Any], layout: Layout, tensors: Tensors
) -> Detector:
    """Build a fitted detector from what an artifact holds.

    Raises:
        ModelError: if the kind is not known or the tensors do not fit.
    """
    return settings_from_plain(kind, plain).restore(layout, tensors)
