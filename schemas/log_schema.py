"""The section ``log`` of leadgate.yaml. Refused: an origin or address that is none, a quorum that nobody could reach, and a
witness that is no witness's key. A witness's secret never stands here: only its public key does.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validates_schema

from schemas.fields.setting import Duration, Slug, Text
from schemas.settings_part import Part, count, part

#: C2SP tlog-cosignature: Ed25519 and ML-DSA-44.
_COSIGNERS: Final = (4, 6)
_VKEY: Final = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+(?P<key>[A-Za-z0-9+/=]+)")


class WitnessSchema(Part):
    """Somebody who watches that the log only grows: where to ask, and the public key they printed."""

    url = Text(required=True, most=1000)
    vkey = Text(required=True, most=4000)

    @validates_schema
    def plain_address(self, data: dict[str, Any], **_: Any) -> None:
        try:
            parts = urlsplit(data["url"])
            good = (
                parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment or parts.username)
            )
        except ValueError:
            good = False
        if not good:
            raise ValidationError({"url": ["must be http:// or https:// with a host, without a login, query or fragment"]})

    @validates_schema
    def cosigns(self, data: dict[str, Any], **_: Any) -> None:
        found = _VKEY.fullmatch(data["vkey"])
        try:
            raw = base64.b64decode(found["key"], validate=True) if found else b""
        except binascii.Error:
            raw = b""
        if not raw or raw[0] not in _COSIGNERS:
            raise ValidationError({"vkey": ["must be the line that the witness prints: <name>+<key id>+<base64>"]})


class LogSchema(Part):
    """Where the audit log says it comes from, where it is published, and who watches it."""

    origin = Text(required=True, most=255)
    publish_to = Text(most=1000)
    witnesses = fields.Dict(
        keys=Slug(), values=part(WitnessSchema), load_default=dict, error_messages={"invalid": "must be a mapping of names"}
    )
    quorum = count()
    witness_timeout = Duration()

    @validates_schema
    def schemaless(self, data: dict[str, Any], **_: Any) -> None:
        # C2SP tlog-checkpoint: a schema-less URL
        if "://" in data["origin"] or any(character in data["origin"] for character in " \t\n+"):
            raise ValidationError({"origin": ["must be a host and path without scheme, spaces or plus signs"]})

    @validates_schema
    def reachable(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("quorum", 0) > len(data["witnesses"]):
            raise ValidationError({"quorum": ["must not be more than there are witnesses"]})
        if "://" in data.get("publish_to", ""):
            raise ValidationError({"publish_to": ["must be a folder of this machine; any web server may serve it"]})
