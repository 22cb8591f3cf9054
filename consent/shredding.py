"""Refuses a shred list that lost, gained, moved or changed a line: each line is authenticated together with all before it.

A backup still holds the keys of people who were destroyed since. The shred list is what a restored ledger cannot have
forgotten, because it stands outside of it: one line for each destroyed person, in the order of their destruction.

    0000000001 2026-06-01T09:00:00.000000Z <person id> <digest of the key's id> <mac>

1. A line says a random id and never a name; the digest names the data key that was destroyed, and is zeros if none had sealed
   anything.
2. ``mac`` is HMAC-SHA-256 over the mac of the line before and the line itself, under a key that hangs on the keyring's stable
   root: no rotation makes an old line unreadable, and nobody without the keyring can write one.
3. All lines have one length, so that how many there are is said by the size of the file. What the chain cannot show, lines cut
   off at the end, the ledger shows: it counts the lines it has carried out (leadgate.pipeline.shred).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from consent.envelope import KEY_ID_BYTES
from consent.keys.provider import STABLE_VERSION, KeyProvider, key_context, require_tenant
from schemas.errors import AuditError

#: Number, moment, person, digest, mac, and what stands between them.
LINE_BYTES: Final = 10 + 1 + 27 + 1 + 36 + 1 + 64 + 1 + 64 + 1
#: What stands before the first line.
FIRST: Final = "0" * 64
#: The digest for a key that never sealed anything.
NO_KEY: Final = "0" * 64

_LINE: Final = re.compile(
    rb"(?P<number>[0-9]{10}) (?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z)"
    rb" (?P<person>[0-9a-f-]{36}) (?P<key>[0-9a-f]{64}) (?P<mac>[0-9a-f]{64})\n"
)
_KEY_DOMAIN: Final = b"leadgate/v1/shredded-key\x00"
#: Where an envelope's header names its data key (consent.envelope).
_KEY_ID_AT: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shredded:
    """One line: who was destroyed when, as the ``number``-th."""

    number: int
    at: datetime
    person_id: str
    key_sha256: str
    mac: str


def key_digest(envelope_head: bytes | None) -> str:
    """What names a destroyed key: SHA-256 over the random id in the header of an envelope it sealed. ``envelope_head`` is the
    envelope or its first bytes, None if there is none.
    """
    if envelope_head is None or len(envelope_head) < _KEY_ID_AT + KEY_ID_BYTES:
        return NO_KEY
    return sha256(_KEY_DOMAIN + envelope_head[_KEY_ID_AT : _KEY_ID_AT + KEY_ID_BYTES]).hexdigest()


def parse(line: bytes, number: int) -> Shredded:
    """Read a line without proof: for whoever only looks who stands there. Raises AuditError naming the line."""
    found = _LINE.fullmatch(line)
    if found is None or int(found["number"]) != number:
        raise damaged(number)
    try:
        at = datetime.strptime(found["at"].decode(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise damaged(number) from None
    return Shredded(
        number=number,
        at=at,
        person_id=found["person"].decode(),
        key_sha256=found["key"].decode(),
        mac=found["mac"].decode(),
    )


class ShredListKey:
    """Writes lines and proves them. Built once a process."""

    def __init__(self, provider: KeyProvider, tenant: str) -> None:
        require_tenant(provider, tenant)
        context = key_context(tenant=tenant, table="keys", field="shred_list", purpose="authenticate")
        self._mac = HMAC(provider.derive(context, 32, STABLE_VERSION), SHA256())

    def line(self, *, number: int, at: datetime, person_id: str, key_sha256: str, before: str) -> bytes:
        """The ``number``-th line; ``before`` is the mac of the line before, ``FIRST`` if there is none."""
        moment = at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
        said = f"{number:010d} {moment} {person_id} {key_sha256} ".encode()
        line = said + self._of(said, before) + b"\n"
        if len(line) != LINE_BYTES:
            raise damaged(number)
        return line

    def proven(self, line: bytes, *, number: int, before: str) -> Shredded:
        """Read and prove one line. Raises AuditError naming it."""
        found = parse(line, number)
        if not compare_digest(self._of(line[:-65], before), found.mac.encode()):
            raise damaged(number)
        return found

    def read(self, lines: Iterable[bytes], *, first: int = 1, before: str = FIRST) -> Iterator[Shredded]:
        """Read and prove lines from the ``first`` on. Raises AuditError at the first that does not hold."""
        for number, line in enumerate(lines, first):
            found = self.proven(line, number=number, before=before)
            yield found
            before = found.mac

    def _of(self, said: bytes, before: str) -> bytes:
        mac = self._mac.copy()
        mac.update(before.encode() + said)
        return mac.finalize().hex().encode()


def damaged(number: int) -> AuditError:
    """What is raised at the ``number``-th line."""
    return AuditError(
        "shred_list_damaged",
        f"line {number} is not what was written there, or was written under another keyring: restore the list from its copy",
        field="shred list",
    )
