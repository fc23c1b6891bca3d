"""The configuration: YAML to one frozen value, every problem in one message.

`schema` says which keys there are, with `detectors` and `thresholds` for what each kind of them
takes; `yaml_places` reads YAML and remembers where each key stands; `loading` puts them together.
"""

from adlib.config.detectors import DetectorConfig
from adlib.config.loading import load_config
from adlib.config.schema import Config, config_digest, json_schema
from adlib.config.thresholds import ThresholdConfig
from adlib.config.wording import shortened, yaml_text

__all__ = [
    "Config",
    "DetectorConfig",
    "ThresholdConfig",
    "config_digest",
    "json_schema",
    "load_config",
    "shortened",
    "yaml_text",
]
