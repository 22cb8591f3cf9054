"""Refuses to open a person whose key was destroyed, a row that was moved, and any field that was not named. Seals and opens.

1. Each person has a data key of its own, each submission too. They are stored wrapped; deleting the wrapped key shreds all that
   was sealed under it, wherever copies of the envelopes lie.
2. Every envelope is bound to its tenant, table, field and row: moved to another row it does not open.
3. The commitment that stands in the audit log is SHA-256 over a random salt and the canonical fields. The salt is inside the
   envelope, so that destroying the key leaves a number that says nothing and can be guessed from nothing.
4. What was sent is remembered as a digest bound to the person's key; with the key that number, too, loses its meaning.
5. No error holds a value. What fails says a code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, NoReturn, TypedDict

import msgspec

from consent.envelope import KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES, head, id_name, id_names, names, seal, unseal
from consent.keys.provider import KeyProvider, Wrapped, require_tenant
from schemas.errors import VaultError
from schemas.personal import Personal

SALT_BYTES: Final = 32
#: Random bytes drawn at once for a batch: those of about a hundred leads.
_BLOCK: Final = 8192
#: Counter, label, separator, length in bits: the one block that is needed of the KDF in counter mode.
_BINDING_CONTEXT: Final = b"\x00\x00\x00\x01leadgate/v1/sent-record\x00\x00\x00\x01\x00"
_COMMITMENT_DOMAIN: Final = b"leadgate/v1/lead-commitment\x00"
_SECRET_BYTES: Final = KEY_BYTES + KEY_ID_BYTES

#: Sorted keys, no spaces, raw UTF-8: equal to RFC 8785 for objects of strings with ASCII names (tests prove it).
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, str]).decode
#: RFC 2104 over a key of 32 bytes: the key and zeros to a block of 64, each byte changed by one of two constants.
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST: Final = b"\x36" * 32
_OUTER_REST: Final = b"\x5c" * 32


class PersonKey(msgspec.Struct, frozen=True, kw_only=True):
    """One person's data key, opened, and the form of it that is stored. Memory only."""

    person_id: str
    dek: bytes
    key_id: bytes
    wrapped: bytes
    key_version: int

    def __repr__(self) -> str:
        return f"<key of person {self.person_id}, version {self.key_version}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("person_id", self.person_id), ("key_version", self.key_version)]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a person's key is never pickled")


class SealedLead(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a lead's identity, and the two digests that may stand in the audit log."""

    envelope: bytes
    envelope_sha256: str
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSubmission:
    """A submission's bytes under a key of their own. Deleting ``wrapped_key`` shreds it."""

    wrapped_key: bytes = field(repr=False)
    key_version: int
    envelope: bytes = field(repr=False)


class Vault:
    """Built once a process. Safe to share between threads and over a fork: it keeps no randomness in store."""

    def __init__(self, provider: KeyProvider, tenant: str, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._provider = provider
        self._random = random_bytes
        self._lead_row = names(require_tenant(provider, tenant), "leads", "fields")
        self._submission_row = names(tenant, "submissions", "body")

    def for_one_batch(self) -> Vault:
        """The same vault for the length of one batch: it draws its randomness a block at a time.

        A system call for each lead costs more than sealing it, and lets other threads in each time. MUST NOT be kept, shared
        between threads or taken over a fork: two owners of one block would use the same nonces.
        """
        batch = Vault.__new__(Vault)
        batch._provider, batch._random = self._provider, _drawn(self._random)  # noqa: SLF001 - the same class
        batch._lead_row, batch._submission_row = self._lead_row, self._submission_row  # noqa: SLF001 - as above
        return batch

    # -- keys ---------------------------------------------------------------------------------------------------------

    def new_person_key(self, person_id: str) -> PersonKey:
        """A fresh data key for a new person; store ``wrapped`` and ``key_version``."""
        return self.new_person_keys([person_id])[0]

    def new_person_keys(self, person_ids: Sequence[str]) -> list[PersonKey]:
        """As ``new_person_key`` for a batch: one round trip where the provider is remote."""
        fresh = self._random(_SECRET_BYTES * len(person_ids))
        secrets = [fresh[at : at + _SECRET_BYTES] for at in range(0, len(fresh), _SECRET_BYTES)]
        wrapped = self._provider.wrap_many(secrets)
        return list(map(_person_key, person_ids, secrets, wrapped))

    def unwrap_person_key(self, person_id: str, wrapped: bytes | None, key_version: int) -> PersonKey:
        """Open a stored key. Raises VaultError ``key_destroyed`` if there is none any more."""
        stored = Wrapped(bytes=_present(wrapped), version=key_version)
        return _person_key(person_id, self._provider.unwrap(stored), stored)

    def rewrap(self, wrapped: bytes, from_version: int) -> tuple[bytes, int]:
        """Wrap the same data key under the current version. Envelopes stay as they are; running it again changes nothing.

        Rows that are left are those whose version column is below ``provider.current_version``: a rotation can stop and go on
        anywhere.
        """
        if from_version >= self._provider.current_version:
            return wrapped, from_version  # never back: a process that has not seen the promotion would undo it
        again = self._provider.wrap(self._provider.unwrap(Wrapped(bytes=_present(wrapped), version=from_version)))
        return again.bytes, again.version

    # -- leads --------------------------------------------------------------------------------------------------------

    def seal_lead(self, key: PersonKey, lead_id: str, fields: Personal[Mapping[str, str]]) -> SealedLead:
        """Seal a lead's personal fields under its person's key."""
        fresh = self._random(SALT_BYTES + NONCE_BYTES)
        plaintext = fresh[:SALT_BYTES] + _canonical(fields.reveal())
        row = self._lead_row + id_names(key.person_id, lead_id)
        envelope = seal(key.dek, head(key.key_version, key.key_id), fresh[SALT_BYTES:], plaintext, row)
        return SealedLead(
            envelope=envelope,
            envelope_sha256=sha256(envelope).hexdigest(),
            commitment=sha256(_COMMITMENT_DOMAIN + plaintext).hexdigest(),
        )

    def open_lead(self, key: PersonKey, lead_id: str, envelope: bytes, wanted: Collection[str]) -> Personal[dict[str, str]]:
        """The fields named in ``wanted`` and no others; those the lead does not have are absent."""
        return Personal(_fields(self._plaintext(key, lead_id, envelope), _decoder(frozenset(wanted))))

    def open_all(self, key: PersonKey, lead_id: str, envelope: bytes) -> Personal[dict[str, str]]:
        """Every field: for the data subject's own access, and for re-indexing."""
        return Personal(_fields(self._plaintext(key, lead_id, envelope)))

    def check_commitment(self, key: PersonKey, lead_id: str, envelope: bytes, commitment: str) -> bool:
        """Whether the sealed fields are those that the audit log committed to."""
        found = sha256(_COMMITMENT_DOMAIN + self._plaintext(key, lead_id, envelope)).hexdigest()
        return compare_digest(found, commitment)

    def _plaintext(self, key: PersonKey, lead_id: str, envelope: bytes) -> bytes:
        return unseal(key.dek, key.key_id, envelope, self._lead_row + id_names(key.person_id, lead_id))

    def bind_digest(self, key: PersonKey, digest: str) -> str:
        """A digest of personal data as it may be stored: HMAC under a key derived from the person's own (SP 800-108, 4.1).

        A plain digest that stays after an erasure lets whoever holds the row try what the person's record may have said.
        """
        return _hmac(_hmac(key.dek, _BINDING_CONTEXT), digest.encode()).hex()

    # -- submissions --------------------------------------------------------------------------------------------------

    def seal_submission(self, submission_id: str, body: Personal[bytes]) -> SealedSubmission:
        """Seal what a sender handed in, under a key of its own."""
        return self.seal_submissions([(submission_id, body)])[0]

    def seal_submissions(self, submissions: Sequence[tuple[str, Personal[bytes]]]) -> list[SealedSubmission]:
        """As ``seal_submission`` for several (id, body): one round trip where the provider is remote."""
        fresh = self._random((_SECRET_BYTES + NONCE_BYTES) * len(submissions))
        nonces = _SECRET_BYTES * len(submissions)
        secrets = [fresh[at : at + _SECRET_BYTES] for at in range(0, nonces, _SECRET_BYTES)]
        sealed = []
        for (submission_id, body), secret, wrapped in zip(submissions, secrets, self._provider.wrap_many(secrets), strict=True):
            row, nonce = self._submission_row + id_name(submission_id), fresh[nonces : nonces + NONCE_BYTES]
            nonces += NONCE_BYTES
            envelope = seal(secret[:KEY_BYTES], head(wrapped.version, secret[KEY_BYTES:]), nonce, body.reveal(), row)
            sealed.append(SealedSubmission(wrapped_key=wrapped.bytes, key_version=wrapped.version, envelope=envelope))
        return sealed

    def expect(self, wrapped: Sequence[tuple[bytes | None, int | None]]) -> None:
        """Say which stored keys (wrapped, version) are opened in a moment: one round trip where the provider is remote."""
        self._provider.unwrap_ahead(
            [Wrapped(bytes=blob, version=version) for blob, version in wrapped if blob and version is not None]
        )

    def open_submission(
        self, submission_id: str, wrapped_key: bytes | None, key_version: int, envelope: bytes
    ) -> Personal[bytes]:
        """The bytes as they came. Raises VaultError ``key_destroyed`` after retention destroyed the key."""
        secret = self._provider.unwrap(Wrapped(bytes=_present(wrapped_key), version=key_version))
        return self._submission(secret, submission_id, envelope)

    def open_submissions(self, sealed: Sequence[tuple[str, bytes | None, int, bytes]]) -> list[Personal[bytes] | VaultError]:
        """As ``open_submission`` for several: what it raises for one stands in that one's place."""
        secrets = self._provider.unwrap_many(
            [Wrapped(bytes=wrapped or b"", version=version) for _, wrapped, version, _ in sealed]
        )
        opened: list[Personal[bytes] | VaultError] = []
        for one, secret in zip(sealed, secrets, strict=True):
            try:  # whose key does not open is asked for alone, to learn why
                opened.append(self.open_submission(*one) if secret is None else self._submission(secret, one[0], one[3]))
            except VaultError as error:
                opened.append(error.with_traceback(None))  # it would keep all the others' bytes alive
        return opened

    def _submission(self, secret: bytes, submission_id: str, envelope: bytes) -> Personal[bytes]:
        row = self._submission_row + id_name(submission_id)
        return Personal(unseal(secret[:KEY_BYTES], secret[KEY_BYTES:], envelope, row))


def _drawn(random_bytes: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """``random_bytes``, asked for a block at a time; no byte is given twice."""
    block, at = b"", 0

    def take(count: int) -> bytes:
        nonlocal block, at
        if at + count > len(block):
            block, at = random_bytes(max(count, _BLOCK)), 0
        taken = block[at : at + count]
        at += count
        return taken

    return take


def _hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 under a key of 32 bytes that is used once: what the libraries build around it costs as much again."""
    inner = sha256(key.translate(_INNER) + _INNER_REST + message).digest()
    return sha256(key.translate(_OUTER) + _OUTER_REST + inner).digest()


def _person_key(person_id: str, secret: bytes, wrapped: Wrapped) -> PersonKey:
    return PersonKey(
        person_id=person_id,
        dek=secret[:KEY_BYTES],
        key_id=secret[KEY_BYTES:],
        wrapped=wrapped.bytes,
        key_version=wrapped.version,
    )


def _present(wrapped: bytes | None) -> bytes:
    if not wrapped:
        raise VaultError("key_destroyed", "the data key was destroyed; what it sealed can never be opened")
    return wrapped


def _canonical(fields: Mapping[str, str]) -> bytes:
    try:
        "".join(fields.values())  # anything but text would be sealed well and never read back: a loss nobody sees in time
        return _encode(fields)
    except (UnicodeEncodeError, TypeError):
        pass  # the error holds the value: it must not become the context of ours
    raise VaultError("not_text", "a field holds something that is no Unicode text", field="fields")


@lru_cache(maxsize=256)
def _decoder(wanted: frozenset[str]) -> Callable[[bytes], dict[str, str]]:
    """A decoder that makes text of the fields with these names and passes over all others: what is not told is not read."""
    if not all(map(str.isascii, wanted)):  # msgspec (0.22) takes such a key for another one
        return lambda document: {name: text for name, text in _decode(document).items() if name in wanted}
    named = TypedDict("named", dict.fromkeys(wanted, str), total=False)  # type: ignore[misc] # names are known when it runs
    return msgspec.json.Decoder(named).decode  # type: ignore[return-value] # its values are dictionaries


def _fields(plaintext: bytes, decode: Callable[[bytes], dict[str, str]] = _decode) -> dict[str, str]:
    try:
        return decode(plaintext[SALT_BYTES:])
    except msgspec.DecodeError:
        pass  # as above
    raise VaultError("not_a_document", "the envelope is authentic and holds no fields; another program sealed it")
