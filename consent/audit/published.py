"""Verifies a log as it is published, in tiles (C2SP tlog-tiles). Refuses a folder whose checkpoint it cannot believe.

1. The checkpoint is signed by a known key of the log, every known signature is right, the quorum has seen it     (signed)
2. It is not older than the one the auditor kept, and continues it                                       (signed, reaudit)
3. Leaves and tiles are those that the signed root was made over                                                 (reaudit)
4. What the leaves say holds together: nothing was sent before it was admitted                                    (claims)

The folder may be a copy, a download or what a web server shows; nothing in it but the checkpoint is signed, and nothing else
has to be. Of a pruned log the auditor says from which leaf on it is to be whole; point 4 needs one whole from its beginning.
"""

from __future__ import annotations

from pathlib import Path

from consent.audit.claims import Claims
from consent.audit.export import CHECKPOINT, LEAVES, MANIFEST
from consent.audit.findings import Collector, Report
from consent.audit.history import Statement
from consent.audit.note import MAX_NOTE
from consent.audit.reaudit import Audited, audit_tiles
from consent.audit.signed import Trust, nothing_signed
from consent.audit.tiles import folder
from schemas.audit import Checkpoint

TILES = "tile"


def is_published(path: Path) -> bool:
    """Whether this folder is a log in tiles and no audit export."""
    return (path / TILES).is_dir() and not (path / LEAVES).exists() and not (path / MANIFEST).exists()


def verify(path: Path, trust: Trust, *, trusted: Checkpoint | None, minimum: int, found: Collector) -> Report:
    """Verify the folder ``path``; leaves before ``minimum`` may be gone."""
    signed = _checkpoint(path, trust, found)
    statement = trust.kept(trusted, newest=signed.size if signed else 0, found=found) if trusted is not None else None
    if signed is None:
        nothing_signed(CHECKPOINT, found)
    witnesses = trust.seen([(signed, f"checkpoint of size {signed.size}")] if signed else [], found)
    # A folder whose checkpoint was cut can still be held against the one the auditor kept.
    subject = signed or (_again(trusted, statement) if trusted is not None and statement is not None else None)
    claims = Claims(found, signed=subject.size if subject else 0)
    done = Audited(first=0, leaves=0, sealed=False)
    if subject is not None:
        kept = [statement] if statement is not None and statement.size <= subject.size else []
        each = claims.leaf if minimum == 0 else None
        done = audit_tiles(folder(path), subject, found=found, kept=kept, minimum=minimum, each=each)
    claims.moments(trust.now)
    return Report(
        verified_at=trust.now,
        origin=subject.origin if subject else "",
        checkpoint=signed,
        checkpoints=1 if signed else 0,
        leaves=done.leaves,
        sealed=subject.size if subject and done.sealed else 0,
        pruned=done.first,
        witnesses=witnesses,
        erased=claims.erased,
        events=dict(sorted(claims.events.items())),
        findings=found.findings,
        unlisted=found.unlisted,
    )


def _again(trusted: Checkpoint, statement: Statement) -> Checkpoint:
    """The kept checkpoint, with what its note was found to say."""
    return Checkpoint(origin=trusted.origin, size=statement.size, root=statement.root, note=trusted.note)


def _checkpoint(path: Path, trust: Trust, found: Collector) -> Checkpoint | None:
    try:
        with (path / CHECKPOINT).open("rb") as file:
            note = file.read(MAX_NOTE + 1)
    except OSError:
        found.add(
            "file_missing",
            place=CHECKPOINT,
            problem="the file is missing or cannot be opened",
            advice="Copy the folder again, with its checkpoint",
        )
        return None
    return trust.read(note, CHECKPOINT, found)
