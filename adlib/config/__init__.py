"""The configuration: YAML to one frozen value, every problem in one message.

`schema` says which keys there are, `yaml_places` reads YAML and remembers where each key stands,
`loading` puts them together.
"""

from adlib.config.loading import load_config, yaml_text
from adlib.config.schema import (
    Config,
    DetectorConfig,
    ThresholdConfig,
    config_digest,
    json_schema,
)

__all__ = [
    "Config",
    "DetectorConfig",
    "ThresholdConfig",
    "config_digest",
    "json_schema",
    "load_config",
    "yaml_text",
]
