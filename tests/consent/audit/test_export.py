"""The folder appears whole or not at all, says what stands, and however it was damaged the verifier says where."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from consent.audit import digest, export
from consent.audit.export import LeafRow
from consent.audit.verify import verify
from schemas.consent_record import ConsentRecord
from schemas.errors import AuditError, StorageUnavailableError
from schemas.lead import PseudonymousLead
from schemas.vocabulary import Channel, Indication, Language
from tests.consent.audit.synthetic import NOW, ORIGIN, SIGNER, World, busy_world, ident


def test_the_folder_is_what_the_documentation_says(tmp_path: Path) -> None:
    world = busy_world()
    path = world.export(tmp_path / "deep" / "export")
    assert sorted(file.name for file in path.iterdir()) == [
        "checkpoint",
        "checkpoints.jsonl",
        "leaves.jsonl",
        "manifest.json",
        "records.jsonl",
    ]
    assert (path / "checkpoint").read_text() == world.checkpoints[-1].note
    lines = [json.loads(line) for line in (path / "leaves.jsonl").read_text().splitlines()]
    assert lines[7] == {"index": 7, "hash": world.leaves[7].hash.hex(), "leaf": world.leaves[7].leaf.decode()}
    records = [json.loads(line) for line in (path / "records.jsonl").read_text().splitlines()]
    assert {"kind": "lead", "lead_id": ident(1, 4), "sealed_sha256": "absent"} in records
    manifest = json.loads((path / "manifest.json").read_text())
    assert (manifest["leaves"], manifest["checkpoints"], manifest["records"]) == (91, 3, 90)
    assert manifest["origin"] == ORIGIN
    assert list(tmp_path.glob("**/.*")) == []


def test_an_export_is_never_overwritten(tmp_path: Path) -> None:
    busy_world().export(tmp_path / "export")
    with pytest.raises(AuditError) as caught:
        World().export(tmp_path / "export")
    assert caught.value.code == "export_exists"


def test_a_writer_that_dies_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def rows() -> Iterator[LeafRow]:
        yield from busy_world().leaves
        raise ConnectionError

    with pytest.raises(StorageUnavailableError):  # a ConnectionError is an OSError
        export.write(tmp_path / "e", origin=ORIGIN, created_at=NOW, leaves=rows(), checkpoints=[], records=[])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_without_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailableError) as caught:
        World().export(tmp_path / "file" / "export")
    assert "file" not in str(caught.value)


def test_a_value_out_of_shape_is_not_repeated(tmp_path: Path) -> None:
    world = busy_world()
    lead, sent, agreed = world.leads[ident(1, 8)], world.deliveries[ident(5, 8)], world.consents[ident(3, 8)]
    world.leads[ident(1, 8)] = replace(lead, lead_id="+79000000001", sealed_sha256="Anna", record_sha256="Anna")
    world.deliveries[ident(5, 8)] = replace(sent, state="call Anna", destination="Anna K", purpose="so so", lead_id="Anna")
    world.consents[ident(3, 8)] = replace(agreed, consent_id="Anna", consent_sha256="Anna")
    text = (world.export(tmp_path / "export") / "records.jsonl").read_text()
    assert "Anna" not in text
    assert "79000000001" not in text
    assert text.count("malformed") == 9


def test_bytes_that_are_no_text_are_exported_too(tmp_path: Path) -> None:
    world = busy_world()
    world.leaves[3] = replace(world.leaves[3], leaf=b"\xff\x00")
    assert '"leaf_base64":"/wA="' in (world.export(tmp_path / "export") / "leaves.jsonl").read_text()


@pytest.mark.parametrize("name", [export.CHECKPOINT, export.CHECKPOINTS, export.LEAVES, export.RECORDS, export.MANIFEST])
def test_a_file_that_is_missing_empty_or_cut_is_named(name: str, tmp_path: Path) -> None:
    path = busy_world().export(tmp_path / "export")
    whole = (path / name).read_bytes()
    (path / name).unlink()
    report = verify(path, [SIGNER.verifier], now=NOW)
    assert ("file_missing", name) in {(finding.code, finding.place) for finding in report.findings}
    for cut in (
        b"",
        whole[: len(whole) // 2],
        b"\xff" + whole,
        whole + b"[]\n",
        b"{" * 100_000,
        b'{"files":' + b"[" * 100_000 + b"\n",
    ):
        (path / name).write_bytes(cut)
        report = verify(path, [SIGNER.verifier], now=NOW)
        assert report.findings
        assert all(str(finding) and len(str(finding)) < 600 for finding in report.findings)


def test_a_folder_that_is_not_there_is_findings_not_a_crash(tmp_path: Path) -> None:
    report = verify(tmp_path / "nowhere", [SIGNER.verifier], now=NOW)
    assert {finding.code for finding in report.findings} == {"file_missing", "nothing_signed"}


def test_any_byte_changed_anywhere_is_found(tmp_path: Path) -> None:
    path = busy_world(leads=10).export(tmp_path / "export")
    choose = random.Random(2026)
    for name in (export.CHECKPOINT, export.CHECKPOINTS, export.LEAVES, export.RECORDS):
        whole = (path / name).read_bytes()
        for _ in range(60):
            raw = bytearray(whole)
            raw[choose.randrange(len(raw))] ^= 1 << choose.randrange(8)
            (path / name).write_bytes(raw)
            assert not verify(path, [SIGNER.verifier], now=NOW).ok
        (path / name).write_bytes(whole)
    assert verify(path, [SIGNER.verifier], now=NOW).ok


def test_an_unknown_format_is_said(tmp_path: Path) -> None:
    path = busy_world().export(tmp_path / "export")
    manifest = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(manifest.replace('"version": 1', '"version": 2'))
    assert {finding.code for finding in verify(path, [SIGNER.verifier], now=NOW).findings} == {"format_unknown"}


def test_a_log_that_is_wrong_everywhere_still_fits_a_screen(tmp_path: Path) -> None:
    world = busy_world()
    world.leads.clear()
    for number in range(500):
        world.leads[ident(1, 1000 + number)] = export.LeadRow(lead_id=ident(1, 1000 + number), sealed_sha256=None)
    report = world.verify(tmp_path)
    assert len([finding for finding in report.findings if finding.code == "lead_without_leaf"]) == 100
    assert report.unlisted == 400


# -- digests of rows ------------------------------------------------------------------------------------------------------

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
LEAD = PseudonymousLead(
    lead_id=ident(1, 1),
    person_id=ident(2, 1),
    submission_id=ident(4, 1),
    brand="auto",
    channel=Channel.VK,
    language=Language.RU,
    topic="test_drive",
    country="RU",
    field_names=("given_name", "phone"),
    received_at=AT,
    admitted_at=AT,
    sealed=b"sealed",
    commitment="0" * 64,
    consent_id=ident(3, 1),
)
CONSENT = ConsentRecord(
    consent_id=ident(3, 1),
    person_id=ident(2, 1),
    brand="auto",
    purposes=("callback", "offers"),
    notice_id="callback-ru",
    notice_version="3",
    notice_language=Language.RU,
    text_sha256="0" * 64,
    indication=Indication.DIRECT_MESSAGE,
    evidence=(),
    given_at=AT,
    recorded_at=AT,
)


def test_every_column_of_a_lead_stands_in_its_digest() -> None:
    seen = {digest.lead_digest(LEAD)}
    change: dict[str, object] = dict.fromkeys(PseudonymousLead.__slots__, "x")
    change |= {"field_names": ("phone",), "received_at": NOW, "admitted_at": NOW, "sealed": b"x"}
    for name, value in change.items():
        seen.add(digest.lead_digest(replace(LEAD, **{name: value})))  # type: ignore[arg-type]
    assert len(seen) == 1 + len(PseudonymousLead.__slots__)


def test_a_consent_digest_outlives_a_withdrawal_and_nothing_else() -> None:
    whole = digest.consent_digest(CONSENT)
    assert digest.consent_digest(replace(CONSENT, withdrawn=(("offers", NOW),))) == whole
    assert digest.consent_digest(replace(CONSENT, given_at=AT.astimezone(timezone(timedelta(hours=3))))) == whole
    change: dict[str, object] = {name: "x" for name in ConsentRecord.__slots__ if name != "withdrawn"}
    change |= {"purposes": ("x",), "evidence": ("x",), "given_at": NOW, "recorded_at": NOW}
    seen = {digest.consent_digest(replace(CONSENT, **{name: value})) for name, value in change.items()}  # type: ignore[arg-type]
    assert len(seen | {whole}) == 1 + len(change)
