"""HashiCorp Vault's Transit engine as far as Leadgate speaks to it: versions, their policies, HMAC, batches, AppRole, a seal.

Written from the vendor's API pages (developer.hashicorp.com/vault/api-docs/secret/transit), not from our client: the two meet
only over HTTP. Its ciphers are toys made of HMAC, authentic and different each time: more cannot be seen from outside. The keys
live in memory and are lost with it. ``sealed`` makes it answer as a sealed Vault does.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from integrations.testing.knobs import Call, Fault
from integrations.testing.simulator import Answer, Exchange, Simulator

_NONCE, _TAG = 12, 16


@dataclass(slots=True)
class _Key:
    """One named key with its versions."""

    versions: dict[int, bytes] = field(default_factory=lambda: {1: os.urandom(32)})
    latest: int = 1
    min_decryption: int = 1
    min_encryption: int = 0
    min_available: int = 0

    def describe(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "aes256-gcm96",
            "latest_version": self.latest,
            "min_decryption_version": self.min_decryption,
            "min_encryption_version": self.min_encryption,
            "min_available_version": self.min_available,
            "exportable": False,
            "keys": {str(version): 1_767_225_600 for version in self.versions if version >= self.min_decryption},
        }


class _RefusedError(Exception):
    """Answered with a status and one of the vendor's sentences."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class VaultTransit(Simulator):
    """See the module."""

    name = "vault_transit"
    role_id: ClassVar[str] = "sandbox-role"

    def __init__(self, *, journal: Path | None = None) -> None:
        super().__init__(journal=journal)
        self.keys: dict[str, _Key] = {}
        self.sealed = False
        self.tokens = {self.secret}

    def operation(self, exchange: Exchange) -> str:
        parts = exchange.path.strip("/").split("/")
        return "login" if parts[1:2] == ["auth"] else parts[2] if len(parts) > 2 else "unknown"  # noqa: PLR2004 - v1, mount, operation

    def respond(self, exchange: Exchange, call: Call) -> Answer:  # noqa: ARG002 - no records to reject
        if self.sealed:
            return _errors("Vault is sealed", 503)
        body = json.loads(exchange.body) if exchange.body else {}
        _, mount, *path = exchange.path.strip("/").split("/")
        try:
            if (mount, path) == ("auth", ["approle", "login"]):
                return self._login(body)
            if exchange.headers.get("x-vault-token") not in self.tokens:
                return _errors("permission denied", 403)
            return self._transit(mount, path, exchange.method, body)
        except _RefusedError as error:
            return _errors(error.message, error.status)

    def refusal(self, exchange: Exchange, fault: Fault) -> Answer:
        return _errors(f"the storage could not be read for {exchange.body[:80]!r}", fault.status)

    def _login(self, body: Mapping[str, Any]) -> Answer:
        if (body.get("role_id"), body.get("secret_id")) != (self.role_id, self.secret):
            raise _RefusedError("invalid role or secret ID")
        token = f"hvs.{os.urandom(12).hex()}"
        self.tokens.add(token)
        return _json({"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}})

    def _transit(self, mount: str, path: list[str], method: str, body: Mapping[str, Any]) -> Answer:
        if mount != "transit" or len(path) < 2:  # noqa: PLR2004 - operation and name
            raise _RefusedError("no handler for route", 404)
        operation, name, *rest = path
        if operation == "keys" and method == "POST" and not rest:
            self.keys.setdefault(name, _Key())
            return _json({"data": self.keys[name].describe(name)})
        key = self.keys.get(name)
        if key is None:
            raise _RefusedError("encryption key not found", 404 if operation == "keys" else 400)
        if operation == "keys":
            return self._keys(name, key, method, rest, body)
        work: dict[str, Callable[[_Key, Mapping[str, Any]], dict[str, Any]]] = {
            "encrypt": _encrypt, "decrypt": _decrypt, "hmac": _hmac,
        }  # fmt: skip
        if operation not in work:
            raise _RefusedError("unsupported path", 404)
        return _batched(work[operation], key, body)

    def _keys(self, name: str, key: _Key, method: str, rest: list[str], body: Mapping[str, Any]) -> Answer:
        if method == "GET" and not rest:
            return _json({"data": key.describe(name)})
        if rest == ["rotate"]:
            key.latest += 1
            key.versions[key.latest] = os.urandom(32)
        elif rest == ["config"]:
            _configure(key, body)
        elif rest == ["trim"]:
            _trim(key, int(body["min_available_version"]))
        else:
            raise _RefusedError("unsupported path", 404)
        return _json({"data": key.describe(name)})


def _configure(key: _Key, body: Mapping[str, Any]) -> None:
    decryption = int(body.get("min_decryption_version", key.min_decryption))
    encryption = int(body.get("min_encryption_version", key.min_encryption))
    if decryption > key.latest or encryption > key.latest:
        raise _RefusedError("cannot set a minimum version above the latest one")
    if encryption and encryption < decryption:
        raise _RefusedError("min encryption version must be zero or at least min decryption version")
    if decryption < key.min_available:
        raise _RefusedError("min decryption version should not be less then min available version")
    key.min_decryption, key.min_encryption = decryption, encryption


def _trim(key: _Key, oldest: int) -> None:
    if not key.min_decryption or not key.min_encryption:
        raise _RefusedError("minimum decryption and encryption versions should be set before trimming")
    if oldest < key.min_available or oldest > min(key.min_decryption, key.min_encryption):
        raise _RefusedError("minimum available version is out of its range")
    key.min_available = oldest
    key.versions = {version: root for version, root in key.versions.items() if version >= oldest}


def _encrypt(key: _Key, item: Mapping[str, Any]) -> dict[str, Any]:
    version = int(item.get("key_version") or key.latest)
    if version > key.latest or version < key.min_encryption:
        raise _RefusedError("requested version for encryption is less than the minimum encryption key version")
    plaintext, nonce = _decoded(item.get("plaintext")), os.urandom(_NONCE)
    sealed = bytes(a ^ b for a, b in zip(plaintext, _stream(key.versions[version], nonce, len(plaintext)), strict=True))
    body = nonce + sealed
    tag = hmac.digest(key.versions[version], b"tag" + body, "sha256")[:_TAG]
    return {"ciphertext": f"vault:v{version}:{base64.b64encode(body + tag).decode()}", "key_version": version}


def _decrypt(key: _Key, item: Mapping[str, Any]) -> dict[str, Any]:
    version, raw = _parsed(item.get("ciphertext"))
    if version > key.latest:
        raise _RefusedError("invalid ciphertext: version is too new")
    if version < key.min_decryption:
        raise _RefusedError("ciphertext or signature version is disallowed by policy (too old)")
    body, tag = raw[:-_TAG], raw[-_TAG:]
    if not hmac.compare_digest(tag, hmac.digest(key.versions[version], b"tag" + body, "sha256")[:_TAG]):
        raise _RefusedError("cipher: message authentication failed")
    nonce, sealed = body[:_NONCE], body[_NONCE:]
    plain = bytes(a ^ b for a, b in zip(sealed, _stream(key.versions[version], nonce, len(sealed)), strict=True))
    return {"plaintext": base64.b64encode(plain).decode()}


def _hmac(key: _Key, item: Mapping[str, Any]) -> dict[str, Any]:
    version = int(item.get("key_version") or key.latest)
    if version != key.latest and key.min_encryption and version < key.min_encryption:
        raise _RefusedError("cannot generate HMAC: version is too old (disallowed by policy)")
    if version not in key.versions or version < key.min_decryption:
        raise _RefusedError("key version does not exist")
    digest = hmac.digest(hmac.digest(key.versions[version], b"hmac", "sha256"), _decoded(item.get("input")), "sha256")
    return {"hmac": f"vault:v{version}:{base64.b64encode(digest).decode()}"}


def _batched(work: Callable[[_Key, Mapping[str, Any]], dict[str, Any]], key: _Key, body: Mapping[str, Any]) -> Answer:
    """One item, or a batch in which each item has its own error and any error makes the whole answer a 400."""
    batch = body.get("batch_input")
    if batch is None:
        return _json({"data": work(key, body)})
    results, failed = [], False
    for item in batch:
        try:
            results.append({**work(key, item), "reference": item.get("reference", "")})
        except _RefusedError as error:
            results.append({"error": error.message, "reference": item.get("reference", "")})
            failed = True
    return _json({"data": {"batch_results": results}}, status=400 if failed else 200)


def _stream(root: bytes, nonce: bytes, length: int) -> bytes:
    blocks = (hmac.digest(root, nonce + number.to_bytes(4, "big"), "sha256") for number in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def _parsed(text: Any) -> tuple[int, bytes]:
    prefix, _, rest = str(text).partition(":v")
    number, _, encoded = rest.partition(":")
    if prefix != "vault" or not number.isdigit():
        raise _RefusedError("invalid ciphertext: no prefix")
    raw = _decoded(encoded)
    if len(raw) < _NONCE + _TAG:
        raise _RefusedError("invalid ciphertext: too short")
    return int(number), raw


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except ValueError:
        raise _RefusedError("failed to base64-decode the input") from None


def _json(data: Any, *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(data).encode())


def _errors(message: str, status: int) -> Answer:
    return _json({"errors": [message]}, status=status)
