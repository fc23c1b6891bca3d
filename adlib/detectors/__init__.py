"""Detectors: each learns what is ordinary from a feature matrix and scores how far a row is off.

`base` has the abstraction, every other file one detector, `table` the names that a configuration
may use. A detector is immutable: it comes fitted out of `DetectorSettings.fit`.
"""

from adlib.detectors.base import Detector, DetectorSettings, Judgement, Progress
from adlib.detectors.table import DETECTORS, detector_from_parts, settings_from_plain

__all__ = [
    "DETECTORS",
    "Detector",
    "DetectorSettings",
    "Judgement",
    "Progress",
    "detector_from_parts",
    "settings_from_plain",
]
