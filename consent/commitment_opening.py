"""Opens a lead together with the salt of its commitment: for whoever may know who the person is and must be able to prove it.

A leaf commits to ``SHA-256(domain || salt || canonical fields)``. Fields alone prove nothing; with the salt anybody can hash
them again. So the salt leaves the vault only here, and only together with the fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from consent.vault import SALT_BYTES, PersonKey, Vault
from schemas.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the commitment of one lead was made of. ``fields`` is JSON, byte for byte."""

    salt: str  # hex
    fields: str


class ProvingVault(Vault):
    """A vault that can prove what it held."""

    def open_to_prove(self, key: PersonKey, lead_id: str, envelope: bytes) -> Personal[Opening]:
        """Salt and fields of one lead. Raises VaultError as ``open_all`` does."""
        plaintext = self._plaintext(key, lead_id, envelope)
        return Personal(Opening(salt=plaintext[:SALT_BYTES].hex(), fields=plaintext[SALT_BYTES:].decode()))
