"""Raw columns to features: the one transform that training and scoring share.

`features` says what a column can be, `inference` decides what each is, `fitting` learns how to
encode it, `columns` encodes one, `encoder` puts them side by side. Everything here is NumPy and
looks at a row alone, so a batch, a partition or an engine cannot change what a row becomes.
"""

from adlib.encoding.columns import ColumnEncoding
from adlib.encoding.encoder import Encoder
from adlib.encoding.features import EncodingSettings, Feature, Kind, Scale
from adlib.encoding.inference import (
    LEFT_OUT,
    Candidate,
    FeatureChoice,
    choose_features,
    without_weekdays,
)

__all__ = [
    "LEFT_OUT",
    "Candidate",
    "ColumnEncoding",
    "Encoder",
    "EncodingSettings",
    "Feature",
    "FeatureChoice",
    "Kind",
    "Scale",
    "choose_features",
    "without_weekdays",
]
