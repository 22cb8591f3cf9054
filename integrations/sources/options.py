"""Reads the ``options`` of a source from leadgate.yaml into a struct. It refuses unknown keys and wrong types, by place."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from integrations.contract.source import SourceSettings
from schemas.errors import ConfigurationError

S = TypeVar("S", bound=msgspec.Struct)

_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`")


def place(settings: SourceSettings, key: str = "") -> str:
    """Name a key of this source the way the operator finds it."""
    return f"leadgate.yaml: sources.{settings.name}" + (f".{key}" if key else "")


def read_options(settings: SourceSettings, shape: type[S]) -> S:
    """Return the options as ``shape``. Raises ConfigurationError that names the key to mend."""
    try:
        return msgspec.convert(dict(settings.options), shape)
    except msgspec.ValidationError as error:
        text = str(error)  # msgspec names types and keys here, never a value
        found = _PLACE.search(text)
        key = "options" + (f".{found['place']}" if found and found["place"] else "")
        raise ConfigurationError("bad_option", _PLACE.sub("", text), field=place(settings, key)) from None
