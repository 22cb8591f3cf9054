"""Where keys live, in leadgate.yaml. Refused: Vault without a connection to it. No secret stands here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.fields.setting import Choice, Text
from schemas.settings_part import Part


class KeyPlace(StrEnum):
    """What wraps and derives keys."""

    FILE = "file"
    VAULT_TRANSIT = "vault_transit"


class KeysSchema(Part):
    """The key provider; the file of LEADGATE_KEYRING if nothing is said."""

    provider = Choice(KeyPlace, load_default=KeyPlace.FILE)
    connection = Text(most=250)

    @validates_schema
    def vault_is_somewhere(self, data: dict[str, Any], **_: Any) -> None:
        if data["provider"] is KeyPlace.VAULT_TRANSIT and "connection" not in data:
            raise ValidationError({"connection": ["is required: it holds Vault's address and token"]})
