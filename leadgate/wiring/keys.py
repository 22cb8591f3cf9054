"""Opens the keyring and the log's signing keys; it refuses to invent one where data sealed under a lost one may stand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from consent.audit.cosignature import LOG_KINDS, Kind
from consent.audit.note import SEED_SIZE, SignerKey, VerifierKey
from consent.keys.file import FileKeyProvider, FileKeyRotation, provider_from_environment
from consent.keys.live import LiveKeys
from consent.keys.provider import KeyProvider, KeyRotation
from consent.keys.remote import RemoteKeys
from leadgate.settings import Settings
from leadgate.wiring.credentials import Credentials
from schemas.errors import ConfigurationError
from schemas.keys_schema import KeyPlace

if TYPE_CHECKING:
    from leadgate.transit import TransitService

#: Seconds; a call that lasts longer holds a transaction open for too long.
_LONGEST_CALL = 30


def open_keys(settings: Settings, credentials: Credentials) -> KeyProvider:
    """The key provider, which takes a rotation by another process up by itself."""
    if settings.keys.provider is KeyPlace.VAULT_TRANSIT:
        service = open_transit(settings, credentials)
        return LiveKeys(lambda: RemoteKeys(service, tenant=settings.tenant))
    return LiveKeys(lambda: open_keyring(settings))


def key_rotation(settings: Settings, credentials: Credentials) -> KeyRotation | None:
    """What changes the provider's versions; None for a keyring that cannot be written from here."""
    if settings.keys.provider is KeyPlace.VAULT_TRANSIT:
        return open_transit(settings, credentials)
    return None if provider_from_environment(os.environ) is not None else FileKeyRotation(settings.keyring_path)


def open_transit(settings: Settings, credentials: Credentials) -> TransitService:
    """Vault's Transit engine behind the connection that ``keys.connection`` names.

    Of the connection: host is Vault's whole address, password a token, or with a login (AppRole's role id) its secret id; extra
    may say mount, key, namespace, ca (a file) and timeout in seconds.
    """
    found = credentials(settings.keys.connection or "")
    place = f"connection of keys: {settings.keys.connection}"
    if found.secret is None:
        raise ConfigurationError(
            "no_vault_token", "the connection has no password: a token, or AppRole's secret id", field=place
        )
    extra = found.extra
    timeout = extra.get("timeout", 5)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_CALL:
        raise ConfigurationError("bad_timeout", f"must be seconds, at most {_LONGEST_CALL}", field=f"{place}: timeout")
    from leadgate.transit import TransitAddress, TransitService  # noqa: PLC0415 - only who keeps keys in Vault pays for it

    return TransitService(
        TransitAddress(
            url=found.base_url,
            secret=found.secret,
            role_id=found.login,
            namespace=str(extra["namespace"]) if extra.get("namespace") else None,
            mount=str(extra.get("mount") or "transit"),
            key=str(extra.get("key") or f"leadgate-{settings.tenant}"),
            verify=str(extra["ca"]) if extra.get("ca") else True,
            timeout=float(timeout),
        )
    )


def open_keyring(settings: Settings) -> KeyProvider:
    """The keyring from LEADGATE_KEYRING_JSON or the file of LEADGATE_KEYRING, as it stands now."""
    from_environment = provider_from_environment(os.environ)
    if from_environment is not None:
        return from_environment
    if not settings.keyring_path.exists():
        raise ConfigurationError(
            "no_keyring", "there is no keyring yet; run 'leadgate keys init' once", field="LEADGATE_KEYRING"
        )
    return FileKeyProvider.open(settings.keyring_path)


def open_log_key(settings: Settings) -> SignerKey:
    """The key whose public half every auditor has: Ed25519, the first of the key file."""
    return open_log_keys(settings)[0]


def open_log_keys(settings: Settings) -> tuple[SignerKey, ...]:
    """The keys that sign each checkpoint, Ed25519 first; one alone where the installation is older than ML-DSA-44."""
    try:
        lines = settings.log_key_path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise ConfigurationError(
            "no_log_key", "there is no signing key for the log yet; run 'leadgate keys init' once", field="LEADGATE_LOG_KEY"
        ) from None
    signers = [SignerKey.parse(line) for line in lines if line]
    if not signers:
        raise ConfigurationError("no_log_key", "the key file of the log is empty; restore it", field="LEADGATE_LOG_KEY")
    for signer in signers:
        if signer.verifier.name != settings.log_origin or signer.verifier.kind not in LOG_KINDS:
            raise ConfigurationError(
                "wrong_log_key", "the signing key belongs to another log than log.origin", field="LEADGATE_LOG_KEY"
            )
    return tuple(sorted(signers, key=lambda signer: signer.verifier.kind))


def create_keys(
    settings: Settings, *, clock: Callable[[], datetime], credentials: Credentials | None = None
) -> tuple[VerifierKey, list[str]]:
    """Make what is missing; answer the log's public key and the names of what was made. Never overwrites.

    A new log gets an Ed25519 and an ML-DSA-44 key; one that is there is left as it is (``add_log_key``). ``credentials`` are
    asked for Vault, if the keys live there.
    """
    made = []
    if settings.keys.provider is KeyPlace.VAULT_TRANSIT:
        if credentials is not None and open_transit(settings, credentials).create():
            made.append("keys in Vault")
    elif not settings.keyring_path.exists():
        settings.keyring_path.parent.mkdir(parents=True, exist_ok=True)
        FileKeyProvider.create(settings.keyring_path, tenant=settings.tenant, now=clock())
        made.append(settings.keyring_path.name)
    if not settings.log_key_path.exists():
        signers = [SignerKey(name=settings.log_origin, seed=os.urandom(SEED_SIZE), kind=kind) for kind in sorted(LOG_KINDS)]
        _write_private(settings.log_key_path, _lines(signer.line() for signer in signers))
        _publish(settings)
        made.append(settings.log_key_path.name)
    return open_log_key(settings).verifier, made


def add_log_key(settings: Settings) -> VerifierKey | None:
    """Give an older log its ML-DSA-44 key; None if it has one. Checkpoints from the next one on carry both signatures.

    The old key stays as it is and goes on signing, so nobody who verifies with its public half notices. The file is replaced
    as a whole: a process that dies leaves the old one or the new one.
    """
    signers = open_log_keys(settings)
    if any(signer.verifier.kind is Kind.ML_DSA_44 for signer in signers):
        _publish(settings)  # an earlier call may have died between the two files
        return None
    added = SignerKey(name=settings.log_origin, seed=os.urandom(SEED_SIZE), kind=Kind.ML_DSA_44)
    _replace(settings.log_key_path, _lines(signer.line() for signer in (*signers, added)), mode=0o600)
    _publish(settings)
    return added.verifier


def _publish(settings: Settings) -> None:
    """The public halves, for auditors, beside the key file."""
    public = _lines(str(signer.verifier) for signer in open_log_keys(settings))
    _replace(settings.log_key_path.with_suffix(".pub"), public, mode=0o644)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _replace(path: Path, text: str, *, mode: int) -> None:
    beside = path.with_name(f".{path.name}.partial")
    beside.unlink(missing_ok=True)
    _write_private(beside, text, mode=mode)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
