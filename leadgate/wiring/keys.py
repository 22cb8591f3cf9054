"""Opens the keyring and the log's signing key; it refuses to invent one where data sealed under a lost one may stand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from consent.audit.note import SEED_SIZE, SignerKey, VerifierKey
from consent.keys.file import FileKeyProvider, provider_from_environment
from consent.keys.provider import KeyProvider
from leadgate.settings import Settings
from schemas.errors import ConfigurationError


def open_keyring(settings: Settings) -> KeyProvider:
    """The keyring from LEADGATE_KEYRING_JSON or the file of LEADGATE_KEYRING."""
    from_environment = provider_from_environment(os.environ)
    if from_environment is not None:
        return from_environment
    if not settings.keyring_path.exists():
        raise ConfigurationError(
            "no_keyring", "there is no keyring yet; run 'leadgate keys init' once", field="LEADGATE_KEYRING"
        )
    return FileKeyProvider.open(settings.keyring_path)


def open_log_key(settings: Settings) -> SignerKey:
    """The key that signs checkpoints."""
    try:
        line = settings.log_key_path.read_text(encoding="utf-8")
    except OSError:
        raise ConfigurationError(
            "no_log_key", "there is no signing key for the log yet; run 'leadgate keys init' once", field="LEADGATE_LOG_KEY"
        ) from None
    signer = SignerKey.parse(line)
    if signer.verifier.name != settings.log_origin:
        raise ConfigurationError(
            "wrong_log_key", "the signing key belongs to another log than log.origin", field="LEADGATE_LOG_KEY"
        )
    return signer


def create_keys(settings: Settings, *, clock: Callable[[], datetime]) -> tuple[VerifierKey, list[str]]:
    """Make what is missing; answer the log's public key and the names of the files that were made. Never overwrites."""
    made = []
    if not settings.keyring_path.exists():
        settings.keyring_path.parent.mkdir(parents=True, exist_ok=True)
        FileKeyProvider.create(settings.keyring_path, tenant=settings.tenant, now=clock())
        made.append(settings.keyring_path.name)
    if not settings.log_key_path.exists():
        signer = SignerKey(name=settings.log_origin, seed=os.urandom(SEED_SIZE))
        _write_private(settings.log_key_path, signer.line() + "\n")
        _write_private(settings.log_key_path.with_suffix(".pub"), f"{signer.verifier}\n", mode=0o644)
        made.append(settings.log_key_path.name)
    return open_log_key(settings).verifier, made


def _write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
