"""Verifies an audit export, or a published log, with public keys alone. Refuses to be reassured: no storage, no default key.

    1. which checkpoints a known key signed, and that no two of one size differ        (signed: tlog-checkpoint, signed-note)
    2. if there is a policy, that its quorum of witnesses has seen the newest          (signed: tlog-policy, tlog-cosignature)
    3. that the leaves are 0, 1, 2 ... and have the hashes stored beside them          (history)
    4. that every signed size has the signed root, the auditor's own checkpoint too    (RFC 6962 section 2.1)
    5. that every record is the one its leaf commits to, and every send was admitted   (claims)

A folder of tiles instead of an export goes to ``published``; tiles that lie in an export are audited too. What this proves, and
what it cannot, stands in docs/audit-log.md: above all, the owner of the key can sign a second history; only a checkpoint that
somebody else kept (``trusted``) or witnessed (``policy``) shows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from consent.audit import export, history, published, tiles
from consent.audit.claims import SKEW, Claims
from consent.audit.findings import Collector, Finding, Report
from consent.audit.history import Statement
from consent.audit.note import VerifierKey
from consent.audit.policy import Policy
from consent.audit.reading import Folder
from consent.audit.reaudit import audit_tiles
from consent.audit.signed import Trust, damaged, nothing_signed
from schemas.audit import Checkpoint

__all__ = ["Finding", "Report", "verify"]

#: A leaf older than this at the moment of the export must be under a checkpoint: sealing runs every few minutes.
SEAL_WITHIN: Final = timedelta(days=1)


def verify(
    export_path: Path,
    vkeys: Sequence[VerifierKey | str],
    *,
    trusted: Checkpoint | None = None,
    policy: Policy | None = None,
    max_age: int | None = None,
    minimum: int = 0,
    now: datetime,
) -> Report:
    """Verify the export, or the published log, in folder ``export_path``.

    ``trusted`` is a checkpoint the auditor kept from before; ``policy`` asks for witnesses, not longer than ``max_age`` seconds
    ago; ``minimum`` is the first leaf that a pruned log in tiles must still have. Raises AuditError only for keys that cannot
    be used; everything about the folder is a finding of the report.
    """
    trust = Trust.of(vkeys, policy=policy, max_age=max_age, now=now)
    found = Collector()
    if published.is_published(export_path):
        return published.verify(export_path, trust, trusted=trusted, minimum=minimum, found=found)
    folder = Folder(export_path, found)
    signed = _signed(folder, trust, found)
    witnesses = trust.seen(signed, found)
    statements = [Statement.of(each, place=place) for each, place in signed]
    latest = max((each for each, _ in signed), key=lambda each: each.size, default=None)
    if trusted is not None and (kept := trust.kept(trusted, newest=latest.size if latest else 0, found=found)):
        statements.append(kept)
    claims = Claims(found, signed=latest.size if latest else 0)
    log = history.read(folder.leaves(), each=claims.leaf, found=found)
    sealed = history.check(log, statements, found)
    if latest is not None and (export_path / published.TILES).is_dir():
        audit_tiles(tiles.folder(export_path), latest, found=found, minimum=minimum)
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
        witnesses=witnesses,
        leads=claims.leads,
        erased=claims.erased,
        deliveries=claims.deliveries,
        consents=claims.consents,
        events=dict(sorted(claims.events.items())),
        findings=found.findings,
        unlisted=found.unlisted,
    )


def _signed(folder: Folder, trust: Trust, found: Collector) -> list[tuple[Checkpoint, str]]:
    """The checkpoints a known key signed, each with its place."""
    signed: list[tuple[Checkpoint, str]] = []
    roots: dict[int, tuple[bytes, str]] = {}
    last: str | None = None
    for number, note in folder.checkpoints():
        last = note
        checkpoint = trust.read(note, f"{export.CHECKPOINTS}, line {number}", found)
        if checkpoint is None:
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
        damaged(export.CHECKPOINT, f"it is not the last checkpoint of {export.CHECKPOINTS}", found)
    if not signed:
        nothing_signed(export.CHECKPOINTS, found)
    return signed


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
    claims.moments(now)
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
