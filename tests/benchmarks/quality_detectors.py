"""Detectors that are compared: ours by their names, the peers from PyOD, all at their defaults."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from pyod.models.alad import ALAD
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.base import BaseDetector
from pyod.models.cblof import CBLOF
from pyod.models.ecod import ECOD
from pyod.models.gmm import GMM
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.mcd import MCD
from pyod.models.pca import PCA
from pyod.models.vae import VAE

from adlib.arrays import Floats
from adlib.detectors import DETECTORS
from adlib.encoding import Candidate, Encoder, EncodingSettings, choose_features
from adlib.model import exact_scores
from quality_sets import LabelledSet


@dataclass(frozen=True, eq=False)
class Scored:
    """What a detector made of a set."""

    scores: Floats
    """Shape (rows,), higher is stranger."""
    fit_seconds: float
    score_seconds: float


PEERS: Mapping[str, Callable[[int], BaseDetector]] = {
    "IForest": lambda seed: IForest(random_state=seed),
    "KNN": lambda _: KNN(),
    "ECOD": lambda _: ECOD(),
    "HBOS": lambda _: HBOS(),
    "GMM": lambda seed: GMM(random_state=seed),
    "MCD": lambda seed: MCD(random_state=seed),
    "PCA": lambda seed: PCA(random_state=seed),
    "CBLOF": lambda seed: CBLOF(random_state=seed),
    "VAE": lambda seed: VAE(random_state=seed, verbose=0),
    "ALAD": lambda _: ALAD(verbose=0),
    "AutoEncoder": lambda seed: AutoEncoder(random_state=seed, verbose=0),
}
OURS = tuple(kind for kind, settings in DETECTORS.items() if not settings.reads_past)


def fit_and_score(detector: str, labelled: LabelledSet, seed: int) -> Scored:
    """Fit a detector on the one part of a set and score the other."""
    run = _run_peer if detector in PEERS else _run_ours
    return run(detector, labelled, seed)


def _run_peer(detector: str, labelled: LabelledSet, seed: int) -> Scored:
    peer = PEERS[detector](seed)
    began = time.perf_counter()
    peer.fit(labelled.fit.matrix)
    fitted = time.perf_counter()
    scores = peer.decision_function(labelled.score.matrix)
    return Scored(scores, fitted - began, time.perf_counter() - fitted)


def _run_ours(detector: str, labelled: LabelledSet, seed: int) -> Scored:
    """Encode, fit and score as training and scoring do; the rows are numbers without a label."""
    began = time.perf_counter()
    candidates = [Candidate(feature) for feature in labelled.features]
    features = choose_features(labelled.fit.columns, candidates).features
    encoder = Encoder.fit(labelled.fit.columns, features, EncodingSettings())
    learned = encoder.transform(labelled.fit.columns, np.float32)
    fitted = DETECTORS[detector]().fit(learned, seed=seed, progress=None)
    half = time.perf_counter()
    scores = exact_scores(encoder, fitted, labelled.score.columns)
    return Scored(scores, half - began, time.perf_counter() - half)
