"""The three Transit keys of a tenant, as ``consent.keys.remote`` asks for them. It refuses to guess which version is current.

======================  ================================================================================================
``<key>``               wraps; ``min_encryption_version`` is the current version, ``min_decryption_version`` the oldest
``<key>-index``         derives what rotates: its HMAC of a version; its versions go in step with the first one's
``<key>-stable``        derives what never rotates: its HMAC of version 1, for ever
======================  ================================================================================================

Two keys and not one, because Vault refuses an HMAC under a version below ``min_encryption_version``, and people are found under
the old version for as long as a rotation lasts. None of the three is exportable: no root ever leaves Vault.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from consent.keys.provider import STABLE_VERSION
from consent.keys.remote import Standing
from leadgate.transit.wire import TransitAddress, TransitWire
from schemas.errors import ConfigurationError

_TYPE: Final = "aes256-gcm96"
_KEYED_BYTES: Final = 32


class TransitService:
    """Implements ``consent.keys.remote.KeyService`` and ``consent.keys.provider.KeyRotation``."""

    def __init__(self, address: TransitAddress) -> None:
        self._wire = TransitWire(address)
        self._key = address.key

    # -- KeyService ------------------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """Which versions there are."""
        key = self._read(self._key)
        oldest, newest, current = (
            _number(key, name) for name in ("min_decryption_version", "latest_version", "min_encryption_version")
        )
        if not 1 <= oldest <= current <= newest:
            raise ConfigurationError(
                "vault_key_config",
                "min_encryption_version must name the current version; run 'leadgate keys init'",
                field="keys",
            )
        kept = _number(self._read(f"{self._key}-index"), "min_decryption_version")
        return Standing(tuple(range(newest, oldest - 1, -1)), current, tuple(range(max(kept, 1), oldest)))

    def wrap(self, version: int, key: bytes) -> bytes:
        """Wrap under exactly this version; Vault refuses one that is not the current one any more."""
        try:
            told = self._post(f"encrypt/{self._key}", plaintext=_base64(key), key_version=version)
        except ConfigurationError as error:
            if error.code != "vault_bad_request":
                raise
        else:
            return _ciphertext(told.get("ciphertext"), version)
        raise ConfigurationError("keyring_stale", f"Vault wraps under version {version} no more; ask again", field="keys")

    def unwrap(self, wrapped: Sequence[tuple[int, bytes]]) -> list[bytes | None]:
        """One call for all of them."""
        batch = [{"ciphertext": f"vault:v{version}:{_base64(blob)}"} for version, blob in wrapped]
        results = self._post(f"decrypt/{self._key}", batch_input=batch).get("batch_results")
        if not isinstance(results, list) or len(results) != len(batch):
            raise _strange()
        return [_plaintext(each) for each in results]

    def keyed(self, version: int, message: bytes) -> bytes:
        """HMAC-SHA-256 under the version's own key; version 0 is the stable one."""
        name, number = (f"{self._key}-stable", 1) if version == STABLE_VERSION else (f"{self._key}-index", version)
        told = self._post(f"hmac/{name}/sha2-256", input=_base64(message), key_version=number)
        keyed = _ciphertext(told.get("hmac"), number)
        if len(keyed) != _KEYED_BYTES:
            raise _strange()
        return keyed

    # -- KeyRotation -----------------------------------------------------------------------------------------------------------

    def create(self) -> bool:
        """Make what is missing; whether anything was. What is there stays as it is."""
        made = False
        for name in (f"{self._key}-stable", f"{self._key}-index", self._key):
            try:
                found = self._read(name)
            except ConfigurationError as error:
                if error.code != "vault_no_key":
                    raise
                self._post(f"keys/{name}", type=_TYPE, exportable=False, allow_plaintext_backup=False, derived=False)
                found, made = self._read(name), True
            if name == self._key and not found.get("min_encryption_version"):
                self._post(f"keys/{name}/config", min_encryption_version=_number(found, "latest_version"))
        return made

    def announce(self, *, now: datetime) -> int:  # noqa: ARG002 - Vault has its own clock
        """One more version of both keys, the index's first; an announced one is answered again."""
        key = self._read(self._key)
        newest, current = _number(key, "latest_version"), _number(key, "min_encryption_version")
        wanted = newest if newest > current else newest + 1
        while _number(self._read(f"{self._key}-index"), "latest_version") < wanted:
            self._post(f"keys/{self._key}-index/rotate")
        if newest < wanted:
            self._post(f"keys/{self._key}/rotate")
        return wanted

    def promote(self, version: int) -> None:
        """From now on Vault itself refuses to wrap under an older version."""
        if _number(self._read(self._key), "min_encryption_version") < version:
            self._post(f"keys/{self._key}/config", min_encryption_version=version)

    def drop(self, version: int, *, keep: Sequence[str] = ()) -> None:
        """Trim the version away, for ever. With ``keep`` the index key keeps its old versions: layered digests need them."""
        self._trim(self._key, version + 1)
        if not keep:
            self._post(f"keys/{self._key}-index/config", min_encryption_version=version + 1)
            self._trim(f"{self._key}-index", version + 1)

    def _trim(self, name: str, oldest: int) -> None:
        if _number(self._read(name), "min_decryption_version") < oldest:
            self._post(f"keys/{name}/config", min_decryption_version=oldest)
        self._post(f"keys/{name}/trim", min_available_version=oldest)

    # -- calls -----------------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> Mapping[str, Any]:
        return self._wire.call("get", f"keys/{name}")

    def _post(self, path: str, **body: Any) -> Mapping[str, Any]:
        return self._wire.call("post", path, body)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _ciphertext(text: object, version: int) -> bytes:
    """What follows ``vault:v<version>:``."""
    prefix = f"vault:v{version}:"
    raw = _bytes(text.removeprefix(prefix)) if isinstance(text, str) and text.startswith(prefix) else b""
    if not raw:
        raise _strange()
    return raw


def _plaintext(result: object) -> bytes | None:
    if not isinstance(result, Mapping) or result.get("error"):
        return None
    return _bytes(result.get("plaintext")) or None


def _number(key: Mapping[str, Any], name: str) -> int:
    value = key.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _strange()
    return value


def _strange() -> ConfigurationError:
    return ConfigurationError("vault_unexpected", "this is not how Vault's Transit engine answers", field="keys")
