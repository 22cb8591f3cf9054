"""What this installation serves. It refuses to start on a file that has one mistake, and names every mistake with its place.

``load`` reads leadgate.yaml and the environment; ``compose_policies`` joins it with what connectors declare about themselves.
"""

from leadgate.settings.loading import load
from leadgate.settings.model import BrandSettings, DestinationSettings, Promise, Settings, SourceEntry
from leadgate.settings.policies import compose_policies
from leadgate.settings.problems import SettingsError

__all__ = [
    "BrandSettings",
    "DestinationSettings",
    "Promise",
    "Settings",
    "SettingsError",
    "SourceEntry",
    "compose_policies",
    "load",
]
