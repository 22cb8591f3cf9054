"""The tamper matrix: a clean export has no finding, and each way to lie has its own, with its place."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consent.audit import checkpoint, note
from consent.audit.export import LeafRow
from consent.audit.leaf import encode
from consent.audit.note import SignerKey
from consent.audit.verify import Report, verify
from schemas.audit import AuditEntry
from schemas.errors import AuditError
from schemas.vocabulary import Event
from tests.consent.audit.synthetic import NOW, ORIGIN, SIGNER, START, STRANGER, World, busy_world, digest, ident

FORGED = encode(AuditEntry(event=Event.IDENTITY_OPENED, at=START, actor="system"))


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def places(report: Report, code: str) -> list[str]:
    return [finding.place for finding in report.findings if finding.code == code]


def test_a_clean_export_has_no_finding_and_is_counted(tmp_path: Path) -> None:
    world = busy_world()
    report = world.verify(tmp_path)
    assert report.findings == ()
    assert report.ok
    assert report.origin == ORIGIN
    assert report.leaves == report.sealed == len(world.leaves) == 91
    assert (report.checkpoints, report.leads, report.deliveries, report.consents, report.erased) == (3, 30, 30, 30, 1)
    assert report.events["lead.admitted"] == 30
    assert report.checkpoint == world.checkpoints[-1]


def test_leaves_that_wait_for_the_next_seal_are_no_fault(tmp_path: Path) -> None:
    world = busy_world()
    world.admit(99)
    report = world.verify(tmp_path, trusted=world.checkpoints[0])
    assert report.ok
    assert (report.leaves, report.sealed) == (93, 91)


# -- tampering with records -------------------------------------------------------------------------------------------

Change = Callable[[World], object]


def lead_flipped(world: World) -> None:
    world.leads[ident(1, 8)] = replace(world.leads[ident(1, 8)], sealed_sha256=digest("sealed", "with another digit"))


def lead_column(world: World) -> None:
    world.leads[ident(1, 8)] = replace(world.leads[ident(1, 8)], record_sha256=digest("another country"))


def lead_invented(world: World) -> None:
    world.leads[ident(1, 77)] = replace(world.leads[ident(1, 8)], lead_id=ident(1, 77))


def lead_junk(world: World) -> None:
    world.leads["junk"] = replace(world.leads[ident(1, 8)], lead_id="+79000000001")


def lead_nulled(world: World) -> None:
    world.leads[ident(1, 8)] = replace(world.leads[ident(1, 8)], sealed_sha256=None)


def lead_restored(world: World) -> None:
    world.leads[ident(1, 4)] = replace(world.leads[ident(1, 4)], sealed_sha256=digest("sealed", 4))


def delivery(number: int, **change: str) -> Change:
    def tamper(world: World) -> None:
        world.deliveries[ident(5, number)] = replace(world.deliveries[ident(5, number)], **change)

    return tamper


def delivery_invented(world: World) -> None:
    world.deliveries[ident(5, 77)] = replace(world.deliveries[ident(5, 8)], delivery_id=ident(5, 77))


def delivery_of_nobody(world: World) -> None:
    row = replace(world.deliveries[ident(5, 8)], delivery_id=ident(5, 77), lead_id=ident(1, 77), state="queued")
    world.deliveries[ident(5, 77)] = row


def delivery_off_route(world: World) -> None:
    row = replace(world.deliveries[ident(5, 8)], delivery_id=ident(5, 77), destination="broker", state="queued")
    world.deliveries[ident(5, 77)] = row


def sent_without_admission(world: World) -> None:
    world.deliver(88)
    world.seal()


def consent_changed(world: World) -> None:
    world.consents[ident(3, 8)] = replace(world.consents[ident(3, 8)], consent_sha256=digest("more purposes"))


def consent_invented(world: World) -> None:
    world.consents[ident(3, 77)] = replace(world.consents[ident(3, 8)], consent_id=ident(3, 77))


RECORDS: list[tuple[Change, str, str]] = [
    (lead_flipped, "lead_changed", f"lead {ident(1, 8)}, committed at leaf 26"),
    (lead_column, "lead_changed", f"lead {ident(1, 8)}, committed at leaf 26"),
    (lead_invented, "lead_without_leaf", f"lead {ident(1, 77)}"),
    (lead_junk, "lead_without_leaf", "lead malformed"),
    (lead_nulled, "lead_missing", f"lead {ident(1, 8)}, committed at leaf 26"),
    (lambda world: world.leads.pop(ident(1, 8)), "lead_missing", f"lead {ident(1, 8)}, committed at leaf 26"),
    (lead_restored, "erased_but_stored", f"lead {ident(1, 4)}, committed at leaf 13"),
    (delivery(3, state="accepted"), "delivery_state_differs", f"delivery {ident(5, 3)}, last at leaf 11"),
    (delivery(8, state="queued"), "delivery_state_differs", f"delivery {ident(5, 8)}, last at leaf 27"),
    (delivery(8, state="so la la"), "record_malformed", f"delivery {ident(5, 8)}, last at leaf 27"),
    (delivery(8, lead_id=ident(1, 9)), "delivery_changed", f"delivery {ident(5, 8)}, last at leaf 27"),
    (delivery_invented, "delivery_state_differs", f"delivery {ident(5, 77)}"),
    (delivery_of_nobody, "delivery_without_admission", f"delivery {ident(5, 77)}"),
    (delivery_off_route, "delivery_off_route", f"delivery {ident(5, 77)}, lead admitted at leaf 26"),
    (lambda world: world.deliveries.pop(ident(5, 8)), "delivery_missing", f"delivery {ident(5, 8)}, last at leaf 27"),
    (sent_without_admission, "sent_without_admission", f"delivery {ident(5, 88)}, accepted at leaf 91"),
    (consent_changed, "consent_changed", f"consent {ident(3, 8)}, committed at leaf 26"),
    (consent_invented, "consent_without_leaf", f"consent {ident(3, 77)}"),
]


@pytest.mark.parametrize(("tamper", "code", "place"), RECORDS, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(RECORDS)])
def test_a_record_that_is_not_what_was_committed_is_named(tamper: Change, code: str, place: str, tmp_path: Path) -> None:
    world = busy_world()
    tamper(world)
    report = world.verify(tmp_path)
    assert place in places(report, code)
    assert codes(report) <= {code, "delivery_without_admission"}


# -- tampering with leaves --------------------------------------------------------------------------------------------


def bytes_changed(world: World) -> None:
    world.leaves[40] = replace(world.leaves[40], leaf=world.leaves[40].leaf.replace(b":40.", b":41."))


def bytes_ruined(world: World) -> None:
    world.leaves[40] = replace(world.leaves[40], leaf=b"\xff\xfe")


def hash_changed(world: World) -> None:
    world.leaves[40] = replace(world.leaves[40], hash=bytes(32))


def bytes_exchanged(world: World) -> None:
    a, b = world.leaves[35], world.leaves[50]
    world.leaves[35], world.leaves[50] = replace(a, leaf=b.leaf), replace(b, leaf=a.leaf)


def rows_exchanged(world: World) -> None:
    world.leaves[35], world.leaves[50] = world.leaves[50], world.leaves[35]
    world.renumber()


def lines_exchanged(world: World) -> None:
    world.leaves[35], world.leaves[50] = world.leaves[50], world.leaves[35]


def row_moved(world: World) -> None:
    world.leaves.insert(50, world.leaves.pop(35))
    world.renumber()


def twice(world: World) -> None:
    world.leaves.insert(41, world.leaves[40])


def removed_and_renumbered(world: World) -> None:
    del world.leaves[40]
    world.renumber()


def removed_at_the_end(world: World) -> None:
    del world.leaves[-1]


def inserted(world: World) -> None:
    world.leaves.insert(40, LeafRow(index=0, leaf=FORGED, hash=bytes(32)))
    world.rewrite(40, FORGED)
    world.renumber()


LEAVES: list[tuple[Change, str, str]] = [
    (bytes_changed, "leaf_changed", "leaf 40"),
    (bytes_ruined, "leaf_changed", "leaf 40"),
    (hash_changed, "leaf_changed", "leaf 40"),
    (lambda world: world.leaves.pop(40), "leaf_missing", "leaf 40"),
    (lambda world: world.leaves.pop(0), "leaf_missing", "leaf 0"),
    (removed_at_the_end, "leaf_missing", "between leaf 61 and leaf 90"),
    (removed_and_renumbered, "leaf_missing", "between leaf 31 and leaf 60"),
    (bytes_exchanged, "leaf_reordered", "leaves 35 and 50"),
    (rows_exchanged, "leaf_reordered", "leaves 35 and 50"),
    (lines_exchanged, "leaf_reordered", "leaves 35 and 50"),
    (row_moved, "leaf_reordered", "leaves 35 and 50"),
    (twice, "leaf_twice", "leaf 40"),
    (lambda world: world.rewrite(40, FORGED), "root_mismatch", "between leaf 31 and leaf 60"),
    (lambda world: world.rewrite(0, FORGED), "root_mismatch", "between leaf 0 and leaf 30"),
    (inserted, "root_mismatch", "between leaf 31 and leaf 60"),
]


@pytest.mark.parametrize(("tamper", "code", "place"), LEAVES, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(LEAVES)])
def test_a_leaf_that_is_not_where_or_what_was_signed_is_named(tamper: Change, code: str, place: str, tmp_path: Path) -> None:
    world = busy_world()
    tamper(world)
    report = world.verify(tmp_path)
    assert place in places(report, code)


def test_what_was_changed_of_a_leaf_is_told_by_the_signed_root(tmp_path: Path) -> None:
    for number, (tamper, word) in enumerate([(bytes_changed, "the bytes were"), (hash_changed, "bytes are as signed")]):
        world = busy_world()
        tamper(world)
        report = world.verify(tmp_path / str(number))
        assert word in report.findings[0].problem
        assert codes(report) <= {"leaf_changed", "leaf_unreadable"}
        assert report.sealed == 91


def test_two_exchanges_in_two_segments_are_both_proven(tmp_path: Path) -> None:
    world = busy_world()
    for a, b in ((3, 20), (70, 71)):
        world.leaves[a], world.leaves[b] = world.leaves[b], world.leaves[a]
    world.renumber()
    report = world.verify(tmp_path)
    assert places(report, "leaf_reordered") == ["leaves 3 and 20", "leaves 70 and 71"]
    assert "root_mismatch" not in codes(report)
    assert report.sealed == 0


# -- tampering with checkpoints ----------------------------------------------------------------------------------------


def notes_of(world: World, number: int, note_text: str) -> list[str]:
    return [note_text if at == number else each.note for at, each in enumerate(world.checkpoints)]


def by_stranger(world: World) -> str:
    made = world.checkpoints[1]
    return checkpoint.sign(size=made.size, root=made.root, signers=[STRANGER]).note


def other_root_old_signature(world: World) -> str:
    made = world.checkpoints[1]
    return made.note.replace(base64.b64encode(made.root).decode(), base64.b64encode(bytes(32)).decode())


def of_another_log(world: World) -> str:
    made = world.checkpoints[1]
    text = checkpoint.build(origin="else.example.org", size=made.size, root=made.root)
    return note.sign(text, [SIGNER])


CHECKPOINTS: list[tuple[Callable[[World], str], str, str]] = [
    (by_stranger, "checkpoint_foreign_key", "checkpoint of size 61 (checkpoints.jsonl, line 2)"),
    (other_root_old_signature, "checkpoint_bad_signature", "checkpoint of size 61 (checkpoints.jsonl, line 2)"),
    (of_another_log, "checkpoint_wrong_origin", "checkpoint of size 61 (checkpoints.jsonl, line 2)"),
    (lambda world: world.checkpoints[1].note[:-20], "checkpoint_damaged", "checkpoint in checkpoints.jsonl, line 2"),
    (lambda world: world.checkpoints[1].note[:30], "checkpoint_damaged", "checkpoint in checkpoints.jsonl, line 2"),
    (lambda _: "", "checkpoint_damaged", "checkpoint in checkpoints.jsonl, line 2"),
]


@pytest.mark.parametrize(("forge", "code", "place"), CHECKPOINTS)
def test_a_checkpoint_that_no_known_key_stands_behind_is_named(
    forge: Callable[[World], str], code: str, place: str, tmp_path: Path
) -> None:
    world = busy_world()
    path = world.export(tmp_path / "export", notes=notes_of(world, 1, forge(world)))
    report = verify(path, [str(SIGNER.verifier)], now=NOW)
    assert [(finding.code, finding.place) for finding in report.findings] == [(code, place)]
    assert report.sealed == 91


def test_every_checkpoint_by_a_stranger_proves_nothing(tmp_path: Path) -> None:
    report = verify(busy_world().export(tmp_path / "export"), [STRANGER.verifier], now=NOW)
    assert codes(report) == {"checkpoint_foreign_key", "nothing_signed"}
    assert len(places(report, "checkpoint_foreign_key")) == 3
    assert (report.sealed, report.checkpoints, report.checkpoint) == (0, 0, None)


def test_two_roots_signed_for_one_size_are_a_fork(tmp_path: Path) -> None:
    world = busy_world()
    world.checkpoints.insert(2, checkpoint.sign(size=61, root=bytes(32), signers=[SIGNER]))
    report = world.verify(tmp_path)
    assert places(report, "checkpoint_fork") == ["checkpoint of size 61 (checkpoints.jsonl, line 3)"]
    assert "root_mismatch" not in codes(report)


def test_an_earlier_checkpoint_of_another_history_is_inconsistent(tmp_path: Path) -> None:
    world = busy_world()
    world.checkpoints[0] = checkpoint.sign(size=31, root=bytes(32), signers=[SIGNER])
    report = world.verify(tmp_path)
    assert places(report, "checkpoint_inconsistent") == ["checkpoint of size 31 (checkpoints.jsonl, line 1)"]
    assert codes(report) == {"checkpoint_inconsistent"}


def test_a_later_checkpoint_of_another_history_is_named_with_its_segment(tmp_path: Path) -> None:
    world = busy_world()
    world.checkpoints[2] = checkpoint.sign(size=91, root=bytes(32), signers=[SIGNER])
    report = world.verify(tmp_path)
    assert places(report, "root_mismatch") == ["between leaf 61 and leaf 90"]


def test_the_kept_checkpoint_catches_an_owner_who_signs_a_second_history(tmp_path: Path) -> None:
    kept = busy_world().checkpoints[1]
    world = busy_world()
    world.checkpoints.clear()
    world.rewrite(25, FORGED)
    world.seal()
    assert world.verify(tmp_path / "without").ok  # whoever holds the key can write a second history without a flaw
    report = world.verify(tmp_path / "with", trusted=kept)
    assert places(report, "log_rewritten") == ["checkpoint you kept, of size 61"]


def test_the_kept_checkpoint_catches_a_roll_back(tmp_path: Path) -> None:
    world = busy_world()
    kept = world.checkpoints.pop()
    del world.leaves[61:]
    for number in range(20, 30):
        del world.leads[ident(1, number)], world.deliveries[ident(5, number)], world.consents[ident(3, number)]
    assert world.verify(tmp_path / "without").ok
    report = world.verify(tmp_path / "with", trusted=kept)
    assert codes(report) == {"log_rolled_back"}


def test_a_kept_checkpoint_that_the_key_did_not_sign_is_said(tmp_path: Path) -> None:
    world = busy_world()
    forged = replace(world.checkpoints[0], note=world.checkpoints[0].note.replace("31", "30"))
    assert codes(world.verify(tmp_path, trusted=forged)) == {"checkpoint_bad_signature"}


# -- the rest -----------------------------------------------------------------------------------------------------------


def test_a_person_erased_once_may_come_back_and_an_erased_one_may_be_forgotten(tmp_path: Path) -> None:
    world = busy_world()
    world.erase(6)
    del world.leads[ident(1, 6)], world.deliveries[ident(5, 6)]
    again = {"sealed_sha256": digest("again")}
    world.log(Event.LEAD_ADMITTED, {**again}, lead_id=ident(1, 60), person_id=ident(2, 6))
    world.leads[ident(1, 60)] = replace(world.leads[ident(1, 7)], lead_id=ident(1, 60), **again)
    assert world.verify(tmp_path).findings == ()


def test_an_erasure_speaks_for_the_deliveries_it_stops_but_not_for_those_that_were_accepted(tmp_path: Path) -> None:
    world = busy_world()
    world.admit(40)
    world.deliver(40, Event.DELIVERY_DEAD)
    world.erase(40)
    world.deliveries[ident(5, 40)] = replace(world.deliveries[ident(5, 40)], state="suppressed")
    assert world.verify(tmp_path / "stopped").ok
    world.deliveries[ident(5, 4)] = replace(world.deliveries[ident(5, 4)], state="suppressed")
    assert codes(world.verify(tmp_path / "accepted")) == {"delivery_state_differs"}


def test_retention_may_remove_and_a_new_seal_may_replace(tmp_path: Path) -> None:
    world = busy_world()
    world.log(Event.RETENTION_APPLIED, {"reason": "expired"}, lead_id=ident(1, 6))
    del world.leads[ident(1, 6)], world.deliveries[ident(5, 6)]
    world.log(Event.KEYS_REWRAPPED, {"sealed_sha256": digest("new seal")}, lead_id=ident(1, 7))
    world.leads[ident(1, 7)] = replace(world.leads[ident(1, 7)], sealed_sha256=digest("new seal"), record_sha256=None)
    assert world.verify(tmp_path).findings == ()


def test_a_delivery_waits_fails_is_replayed_and_resolved_without_a_finding(tmp_path: Path) -> None:
    world = busy_world()
    world.admit(40)
    for event in (Event.DELIVERY_DEFERRED, Event.DELIVERY_UNCERTAIN, Event.DELIVERY_DEAD, Event.DELIVERY_REPLAYED):
        world.deliver(40, event)
    world.deliveries[ident(5, 40)] = replace(world.deliveries[ident(5, 40)], state="claimed")
    assert world.verify(tmp_path / "claimed").ok
    world.log(Event.DELIVERY_RESOLVED, {"outcome": "accepted"}, delivery_id=ident(5, 40), lead_id=ident(1, 40))
    world.deliveries[ident(5, 40)] = replace(world.deliveries[ident(5, 40)], state="accepted")
    assert world.verify(tmp_path / "accepted").ok


def test_one_lead_admitted_twice_is_said(tmp_path: Path) -> None:
    world = busy_world()
    world.admit(8)
    assert "lead_admitted_twice" in codes(world.verify(tmp_path))


def test_clocks_and_seals_that_stand_still_are_said(tmp_path: Path) -> None:
    world = busy_world()
    path = world.export(tmp_path / "export")
    report = verify(path, [SIGNER.verifier], now=START - timedelta(days=1))
    assert codes(report) == {"clock"}
    late = encode(AuditEntry(event=Event.KEYS_REWRAPPED, at=NOW - timedelta(days=2), actor="system"))
    world.leaves.append(LeafRow(index=91, leaf=late, hash=bytes(32)))
    world.rewrite(91, late)
    assert places(world.verify(tmp_path / "late"), "seal_late") == ["leaf 91"]


def test_without_a_key_nothing_is_verified(tmp_path: Path) -> None:
    with pytest.raises(AuditError):
        verify(tmp_path, [], now=NOW)
    with pytest.raises(AuditError):
        verify(tmp_path, ["no key"], now=NOW)


def test_an_empty_log_is_signed_too(tmp_path: Path) -> None:
    world = World()
    world.seal()
    assert world.verify(tmp_path).ok


def test_a_second_signer_does_not_disturb(tmp_path: Path) -> None:
    world = busy_world()
    made = world.checkpoints[-1]
    witness = SignerKey(name="witness.example.org", seed=b"\x09" * 32)
    both = checkpoint.sign(size=made.size, root=made.root, signers=[SIGNER, witness])
    path = world.export(tmp_path / "export", notes=notes_of(world, 2, both.note))
    assert verify(path, [SIGNER.verifier], now=NOW).ok
    assert verify(path, [SIGNER.verifier, witness.verifier], now=NOW).ok
