"""A house with a log of 10,000 leaves and two witnesses, some leads among them, and its evidence packages unpacked."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from consent.audit.cosignature import Kind
from consent.audit.note import SignerKey
from consent.audit.vkey import b64
from leadgate.pipeline.evidence_parts import Scope
from leadgate.pipeline.recorder import Recorder
from leadgate.settings.log import WitnessSettings
from leadgate.storage import log, witness
from leadgate.storage.clock import to_micros
from leadgate.storage.ids import new_ids
from schemas.vocabulary import Event
from tests.documents.auditor import Verdict, audit
from tests.houses.house import TestHouse

LEAVES = 10_000
WITNESSES = tuple(
    SignerKey(name=f"witness.example.org/{number}", seed=bytes([number]) * 32, kind=Kind.ED25519_COSIGNATURE)
    for number in (1, 2)
)


def witnessed(house: TestHouse, *, quorum: int = 1) -> TestHouse:
    """The same house, configured for witnesses."""
    named = tuple(
        WitnessSettings(name=f"officer-{at}", url="http://127.0.0.1:9", vkey=str(each.verifier))
        for at, each in enumerate(WITNESSES, 1)
    )
    settings = replace(house.settings, log=replace(house.settings.log, witnesses=named, quorum=quorum))
    return TestHouse(settings, house.sandbox, clock=house.clock)


def cosign(house: TestHouse, *witnesses: SignerKey, size: int | None = None) -> int:
    """Let witnesses sign a checkpoint, as the gatherer would have kept it; answer its size."""
    with house.transaction() as tx:
        last = log.last_checkpoint(tx)
        assert last is not None
        note = last.note if size is None else house.rows("select note from checkpoint where tree_size = :s", s=size)[0][0]
        text = note.partition("\n\n")[0] + "\n"
        seconds = int(house.clock.now.timestamp())
        rows = []
        for each in witnesses:
            signed = each.sign(text, time=seconds)
            rows.append(
                witness.Cosigned(
                    tree_size=size or last.tree_size,
                    witness=signed.name,
                    line=f"— {signed.name} {b64(signed.key_id + signed.value)}\n",
                    cosigned_at=seconds * 1_000_000,
                    received_at=to_micros(house.clock.now),
                )
            )
        witness.keep_cosignatures(tx, rows)
        return size or last.tree_size


def fill(house: TestHouse, count: int) -> None:
    """As many leaves as a busy day brings, of submissions that have nothing to do with anybody here."""
    recorder = Recorder(at=house.clock.now)
    for ident in new_ids(count, to_micros(house.clock.now)):
        recorder.note(Event.SUBMISSION_RECEIVED, submission_id=ident, facts={"source": "webhook"})
    with house.transaction() as tx:
        log.append(tx, recorder.leaves)


def seal(house: TestHouse) -> int:
    """Order and sign; nobody is asked."""
    return house.house.logbook.integrate().tree_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """What an auditor got: two packages, unpacked; the policy; a checkpoint kept from before, and one of another history."""

    folder: Path
    subject: Path
    period: Path
    policy: Path
    kept: Path
    size: int

    def changed(self, name: str, change: Callable[[Path], object], *words: str | Path, of: str = "period") -> Verdict:
        """What the auditor says of a copy after somebody has been at it."""
        copy = self.folder / f"copy-{name}"
        shutil.copytree(getattr(self, of), copy)
        change(copy)
        try:
            return audit(copy, *(words or ("--policy", self.policy)))
        finally:
            shutil.rmtree(copy)


def packages(house: TestHouse, folder: Path) -> Packages:
    """Live a little, pack, unpack."""
    house = witnessed(house)
    house.admit(*(house.invented.lead(number) for number in range(5)))
    fill(house, 4_000)
    first = seal(house)
    cosign(house, WITNESSES[0])
    kept = folder / "kept"
    kept.write_text(house.rows("select note from checkpoint where tree_size = :size", size=first)[0][0], encoding="utf-8")
    house.clock.advance(hours=1)
    for name in house.settings.destinations:
        house.dispatcher(name).run(seconds=20)
    waiting = house.rows("select count(*) from audit_pending")[0][0]
    fill(house, LEAVES - first - waiting)
    house.clock.advance(hours=1)
    size = seal(house)
    assert size == LEAVES
    cosign(house, *WITNESSES)
    policy = folder / "policy"
    policy.write_text(house.house.logbook.policy_text(), encoding="utf-8")
    person = house.rows("select person_id from delivery where state = 'accepted' order by delivery_id")[0][0]
    desk = house.house.documents
    desk.pack(Scope(person_id=person), folder / "subject.zip", actor="officer-1")
    day = timedelta(days=1)
    desk.pack(Scope(begin=house.clock.now - day, end=house.clock.now + day), folder / "period.zip", actor="officer-1")
    for name in ("subject", "period"):
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            archive.extractall(folder / name)
    house.close()
    return Packages(folder=folder, subject=folder / "subject", period=folder / "period", policy=policy, kept=kept, size=size)
