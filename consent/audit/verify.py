"""Verifies an audit export with public keys alone. Refuses to be reassured: no storage, no network, no repair, no default key.

    1. which checkpoints a known key signed, and that no two of one size differ        (C2SP tlog-checkpoint, signed-note)
    2. that the leaves are 0, 1, 2 ... and have the hashes stored beside them          (history)
    3. that every signed size has the signed root, the auditor's own checkpoint too    (RFC 6962 section 2.1)
    4. that every record is the one its leaf commits to, and every send was admitted   (claims)

What this proves, and what it cannot, stands in docs/audit-log.md: above all, the owner of the key can sign a second history;
only a checkpoint that somebody else kept (``trusted``) or witnessed shows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from consent.audit import checkpoint as checkpoints
from consent.audit import export, history
from consent.audit.claims import Claims
from consent.audit.findings import Collector, Finding, Report
from consent.audit.history import Statement
from consent.audit.note import VerifierKey
from consent.audit.reading import Folder
from schemas.audit import Checkpoint
from schemas.errors import AuditError

__all__ = ["Finding", "Report", "verify"]

#: Clocks of two machines may differ by this much.
SKEW: Final = timedelta(minutes=5)
#: A leaf older than this at the moment of the export must be under a checkpoint: sealing runs every few minutes.
SEAL_WITHIN: Final = timedelta(days=1)

_PROBLEM: Final = {
    "unknown_key": "checkpoint_foreign_key",
    "bad_signature": "checkpoint_bad_signature",
    "wrong_origin": "checkpoint_wrong_origin",
}
_ADVICE: Final = {
    "checkpoint_foreign_key": "Somebody else signed it, or the verifier key given is not this log's: compare both keys",
    "checkpoint_bad_signature": "It was changed after it was signed: take this checkpoint from another copy and compare",
    "checkpoint_wrong_origin": "It belongs to another log: find out how it came here",
    "checkpoint_damaged": "It is cut or was changed: take this checkpoint from another copy and compare",
}


def verify(
    export_path: Path, vkeys: Sequence[VerifierKey | str], *, trusted: Checkpoint | None = None, now: datetime
) -> Report:
    """Verify the export in folder ``export_path``. ``trusted`` is a checkpoint the auditor kept from before.

    Raises AuditError only for keys that cannot be used; everything about the export is a finding of the report.
    """
    keys = [VerifierKey.parse(key) if isinstance(key, str) else key for key in vkeys]
    if not keys:
        raise AuditError("no_key", "nothing can be verified without the log's public key", field="vkeys")
    found = Collector()
    folder = Folder(export_path, found)
    signed = _signed(folder, keys, found)
    statements = [Statement.of(each, place=place) for each, place in signed]
    if trusted is not None:
        statements += _kept(trusted, keys, signed, found)
    latest = max((each for each, _ in signed), key=lambda each: each.size, default=None)
    claims = Claims(found, signed=latest.size if latest else 0)
    log = history.read(folder.leaves(), each=claims.leaf, found=found)
    sealed = history.check(log, statements, found)
    if (export_path / export.RECORDS).exists():
        claims.compare(folder.records())
    else:
        list(folder.records())  # says that the file is missing
    _counts(folder, found, leaves=log.count, records=claims.leads + claims.deliveries + claims.consents)
    _moments(folder, claims, found, now)
    return Report(
        verified_at=now,
        origin=latest.origin if latest else "",
        created_at=_moment(folder),
        checkpoint=latest,
        checkpoints=len(signed),
        leaves=log.count,
        sealed=sealed,
        leads=claims.leads,
        erased=claims.erased,
        deliveries=claims.deliveries,
        consents=claims.consents,
        events=dict(sorted(claims.events.items())),
        findings=found.findings,
        unlisted=found.unlisted,
    )


def _signed(folder: Folder, keys: Sequence[VerifierKey], found: Collector) -> list[tuple[Checkpoint, str]]:
    """The checkpoints a known key signed, each with its place."""
    signed: list[tuple[Checkpoint, str]] = []
    roots: dict[int, tuple[bytes, str]] = {}
    last: str | None = None
    for number, note in folder.checkpoints():
        last = note
        try:
            checkpoint = checkpoints.verify(note, keys)
        except AuditError as error:
            _unsigned(error, note, f"{export.CHECKPOINTS}, line {number}", found)
            continue
        place = f"checkpoint of size {checkpoint.size} ({export.CHECKPOINTS}, line {number})"
        root, elsewhere = roots.setdefault(checkpoint.size, (checkpoint.root, place))
        if root != checkpoint.root:
            found.add(
                "checkpoint_fork",
                place=place,
                problem=f"another root was signed for the same size: {elsewhere}",
                advice="Two histories were signed with one key: keep both as evidence and ask the key's owner",
            )
        signed.append((checkpoint, place))
    alone = folder.checkpoint()
    if alone is not None and last is not None and alone != last:
        found.add(
            "checkpoint_damaged",
            place=export.CHECKPOINT,
            problem=f"it is not the last checkpoint of {export.CHECKPOINTS}",
            advice=_ADVICE["checkpoint_damaged"],
        )
    if not signed:
        found.add(
            "nothing_signed",
            place=export.CHECKPOINTS,
            problem="no checkpoint is signed by a known key, so nothing here is proven",
            advice="Get the log's verifier key from its owner by another way, or seal the log and export again",
        )
    return signed


def _unsigned(error: AuditError, note: str, place: str, found: Collector) -> None:
    code = _PROBLEM.get(error.code, "checkpoint_damaged")
    try:
        place = f"checkpoint of size {checkpoints.parse(note).size} ({place})"
    except AuditError:
        place = f"checkpoint in {place}"
    found.add(code, place=place, problem=error.message, advice=_ADVICE[code])


def _kept(
    trusted: Checkpoint, keys: Sequence[VerifierKey], signed: Sequence[tuple[Checkpoint, str]], found: Collector
) -> list[Statement]:
    """The auditor's own checkpoint; it is read again from its note, and must be of the same log."""
    place = f"checkpoint you kept, of size {trusted.size}"
    try:
        kept = checkpoints.verify(trusted.note, keys)
    except AuditError as error:
        _unsigned(error, trusted.note, "the one you kept", found)
        return []
    newest = max((each.size for each, _ in signed), default=0)
    if newest < kept.size:
        found.add(
            "log_rolled_back",
            place=place,
            problem=f"the newest signed checkpoint is of size {newest}: the log was shortened, or an old copy was given",
            advice="Ask for an export of today; if there is none, the log was rolled back",
        )
    return [Statement.of(kept, place=place, kept=True)]


def _counts(folder: Folder, found: Collector, *, leaves: int, records: int) -> None:
    said = folder.manifest
    if said is not None and (said.leaves, said.records) != (leaves, records):
        found.add(
            "count_differs",
            place=export.MANIFEST,
            problem=f"{said.leaves} leaves and {said.records} records were exported, {leaves} and {records} were read",
            advice="Lines were removed or added after the export: ask for it again",
        )


def _moments(folder: Folder, claims: Claims, found: Collector, now: datetime) -> None:
    made = _moment(folder)
    if made is not None and made > now + SKEW:
        found.add(
            "clock",
            place=export.MANIFEST,
            problem="the export says it was made in the future",
            advice="Compare the clocks of both machines",
        )
    if claims.latest is not None and claims.latest[0] > now + SKEW:
        found.add(
            "clock",
            place=f"leaf {claims.latest[1]}",
            problem="it says it was written in the future",
            advice="Compare the clocks of both machines; if they are right, the leaf's time is invented",
        )

    unsigned = claims.first_unsigned
    if made is not None and unsigned is not None and unsigned[0] < made - SEAL_WITHIN:
        found.add(
            "seal_late",
            place=f"leaf {unsigned[1]}",
            problem="it was not under any signed checkpoint a day after it was written",
            advice="Seal the log; find out why it was not sealed, or where the newer checkpoints are",
        )


def _moment(folder: Folder) -> datetime | None:
    if folder.manifest is None:
        return None
    try:
        made = datetime.fromisoformat(folder.manifest.created_at)
    except ValueError:
        return None
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)
