"""The verifier of the evidence package over a log of 10,000 leaves: it accepts it, and names the place of every change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit.cosignature import Kind
from consent.audit.merkle import root_of
from consent.audit.note import SignerKey, assemble
from integrations.testing.sandbox import Sandbox
from tests.documents.auditor import SCRIPT, audit
from tests.documents.big_log import LEAVES, Packages, packages
from tests.houses.house import Clock, TestHouse, settings_for


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, empty_ledgers: Path, keys: Path, _sandbox: Sandbox) -> Packages:
    """Made once; every test works on a copy."""
    folder = tmp_path_factory.mktemp("evidence")
    shutil.copyfile(empty_ledgers, folder / "ledger.db")
    shutil.copytree(keys, folder / "state")
    settings = settings_for(state=folder / "state", ledger_url=f"sqlite:///{folder / 'ledger.db'}")
    house = TestHouse(settings, _sandbox, clock=Clock())
    try:
        return packages(house, folder)
    finally:
        house.close()


def flip(name: str, at: int = -5) -> Callable[[Path], object]:
    """One bit of one file."""

    def change(folder: Path) -> None:
        raw = bytearray((folder / name).read_bytes())
        raw[at] ^= 1
        (folder / name).write_bytes(raw)

    return change


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def rewrite(folder: Path, name: str, documents: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(each, separators=(",", ":"), ensure_ascii=False) + "\n" for each in documents)
    (folder / name).write_text(text, encoding="utf-8")


def test_it_accepts_the_log_of_10_000_leaves(packed: Packages) -> None:
    for what in (packed.period, packed.folder / "period.zip", packed.subject, packed.folder / "subject.zip"):
        said = audit(what, "--policy", packed.policy, "--trusted", packed.kept)
        assert said.code == 0, said.text
        assert f"{LEAVES} leaves" in said.text
    assert f"{LEAVES} proven" in audit(packed.period, "--policy", packed.policy).text
    assert packed.size == LEAVES


@pytest.mark.parametrize("tile", ["tile/0/000", "tile/0/017", "tile/0/038", "tile/0/039.p/16", "tile/1/000.p/39"])
@pytest.mark.parametrize("of", ["period", "subject"])
def test_a_flipped_bit_in_any_tile(packed: Packages, tile: str, of: str) -> None:
    said = packed.changed("tile", flip(tile), of=of)
    assert said.code == 1
    assert any(place == tile for code, place in said.findings if code in {"tile_changed", "root_mismatch"}), said.text


def test_every_tile_of_the_log_is_there_and_bound(packed: Packages) -> None:
    names = sorted(
        path.relative_to(packed.subject).as_posix() for path in (packed.subject / "tile").rglob("*") if path.is_file()
    )
    assert len(names) == 39 + 1 + 1
    for name in names:
        said = packed.changed("gone", lambda folder, name=name: (folder / name).unlink(), of="subject")
        assert said.code == 1
        assert name in said.text, name


def test_a_removed_leaf(packed: Packages) -> None:
    def change(folder: Path) -> None:
        rewrite(folder, "leaves.jsonl", [each for each in lines(folder, "leaves.jsonl") if each["index"] != 7_777])

    said = packed.changed("removed", change)
    assert "leaf 7777" in said.place_of("leaf_missing")


def test_a_removed_leaf_that_a_record_stands_on(packed: Packages) -> None:
    gone: list[int] = []

    def change(folder: Path) -> None:
        gone.append(next(each["leaf"] for each in lines(folder, "records/deliveries.jsonl") if each["state"] == "accepted"))
        rewrite(folder, "leaves.jsonl", [each for each in lines(folder, "leaves.jsonl") if each["index"] not in gone])

    said = packed.changed("removed", change, of="subject")
    assert said.place_of("leaf_missing") == f"leaf {gone[0]}"


def test_a_changed_leaf(packed: Packages) -> None:
    def change(folder: Path) -> None:
        documents = lines(folder, "leaves.jsonl")
        documents[5_000]["leaf"] = documents[5_000]["leaf"].replace("webhook", "wobhook")
        rewrite(folder, "leaves.jsonl", documents)

    said = packed.changed("leaf", change)
    assert said.place_of("leaf_changed") == "leaf 5000"


def test_exchanged_leaves(packed: Packages) -> None:
    def change(folder: Path) -> None:
        documents = lines(folder, "leaves.jsonl")
        documents[100]["leaf"], documents[200]["leaf"] = documents[200]["leaf"], documents[100]["leaf"]
        rewrite(folder, "leaves.jsonl", documents)

    said = packed.changed("exchanged", change)
    assert {place for code, place in said.findings if code == "leaf_changed"} == {"leaf 100", "leaf 200"}


_RECORDS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "lead": ("leads", lambda each: each["columns"].update(topic="price")),
    "consent": ("consents", lambda each: each["columns"].update(purposes=["callback"])),
    "given": ("consents", lambda each: each["columns"].update(given_at=each["columns"]["given_at"] + 1)),
    "destination": ("deliveries", lambda each: each.update(destination="elsewhere")),
    "state": ("deliveries", lambda each: each.update(state="rejected" if each["state"] == "accepted" else "accepted")),
    "notice": ("notices", lambda each: each.update(notice_version="9")),
}


@pytest.mark.parametrize("what", _RECORDS)
def test_a_changed_record(packed: Packages, what: str) -> None:
    name, edit = _RECORDS[what]

    def change(folder: Path) -> None:
        documents = lines(folder, f"records/{name}.jsonl")
        documents = [each for each in documents if each["leaf"] is not None] + [e for e in documents if e["leaf"] is None]
        edit(documents[0])
        rewrite(folder, f"records/{name}.jsonl", documents)

    said = packed.changed("record", change)
    assert said.code == 1
    assert f"records/{name}.jsonl, line 1" in said.place_of("record_changed")
    assert "committed at leaf" in said.place_of("record_changed")


@pytest.mark.parametrize("name", ["leads", "consents", "deliveries"])
def test_a_removed_record(packed: Packages, name: str) -> None:
    said = packed.changed(
        "record", lambda folder: rewrite(folder, f"records/{name}.jsonl", lines(folder, f"records/{name}.jsonl")[1:])
    )
    assert "leaf" in said.place_of("record_missing")


def test_an_invented_record(packed: Packages) -> None:
    def change(folder: Path) -> None:
        documents = lines(folder, "records/deliveries.jsonl")
        made = {**documents[0], "delivery_id": "0199f000-0000-7000-8000-00000000ffff", "state": "accepted", "leaf": None}
        rewrite(folder, "records/deliveries.jsonl", [*documents, made])

    said = packed.changed("record", change)
    assert "0199f000-0000-7000-8000-00000000ffff" in said.place_of("record_without_leaf")


def test_a_changed_notice(packed: Packages) -> None:
    name = next((packed.period / "notices").iterdir()).name
    said = packed.changed("notice", flip(f"notices/{name}"))
    assert said.place_of("notice_changed") == f"notices/{name}"


def test_a_removed_notice(packed: Packages) -> None:
    name = next((packed.period / "notices").iterdir()).name
    said = packed.changed("notice", lambda folder: (folder / "notices" / name).unlink())
    assert said.code == 1
    assert said.place_of("notice_missing").startswith("consent ")


@pytest.mark.parametrize("name", ["checkpoint", "checkpoints.jsonl", "manifest.json", "leaves.jsonl"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_file_that_is_cut(packed: Packages, name: str, part: float) -> None:
    def change(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: int(len(raw) * part)])

    said = packed.changed("cut", change)
    assert said.code in {1, 2}
    assert name in said.text or "checkpoint" in said.text


def test_a_file_nobody_packed(packed: Packages) -> None:
    said = packed.changed("foreign", lambda folder: (folder / "records" / "more.jsonl").write_text("{}\n", encoding="utf-8"))
    assert said.place_of("file_foreign") == "records/more.jsonl"


# -- another history -----------------------------------------------------------------------------------------------


def _signer(packed: Packages, *, kind: Kind = Kind.ED25519) -> SignerKey:
    signers = (packed.folder / "state" / "log.key").read_text(encoding="utf-8").splitlines()
    return next(each for each in map(SignerKey.parse, signers) if each.verifier.kind is kind)


def _other(packed: Packages, size: int, *signers: SignerKey) -> str:
    """A checkpoint of the same log with another past, signed with its own key."""
    root = root_of([bytes([number % 251]) * 32 for number in range(size)])
    return checkpoints.sign(size=size, root=root, signers=signers or [_signer(packed)]).note


def test_a_fork(packed: Packages) -> None:
    size = checkpoints.parse(packed.kept.read_text(encoding="utf-8")).size
    other = packed.folder / "other"
    other.write_text(_other(packed, size), encoding="utf-8")
    said = audit(packed.period, "--policy", packed.policy, "--trusted", other)
    assert said.code == 1
    assert f"size {size}" in said.place_of("fork")
    inside = packed.changed(
        "fork", lambda folder: rewrite(folder, "checkpoints.jsonl", [{"note": other.read_text(encoding="utf-8")}])
    )
    assert "checkpoints.jsonl, line 1" in inside.place_of("fork")


def test_a_rewritten_log_with_a_signature_of_its_own(packed: Packages) -> None:
    """The owner of the key signs another root: it does not fit the hashes, and no witness signed it."""
    other = _other(packed, LEAVES)
    said = packed.changed("rewritten", lambda folder: (folder / "checkpoint").write_text(other, encoding="utf-8"))
    assert {"root_mismatch", "missing_quorum"} <= said.codes


def test_a_rollback(packed: Packages) -> None:
    later = packed.folder / "later"
    later.write_text(_other(packed, LEAVES + 1), encoding="utf-8")
    said = audit(packed.period, "--policy", packed.policy, "--trusted", later)
    assert said.code == 1
    assert f"size {LEAVES + 1}" in said.place_of("log_rolled_back")


def test_a_wrong_origin(packed: Packages) -> None:
    """Signed with a known key, for another log."""
    known = _signer(packed)
    note = (packed.period / "checkpoint").read_text(encoding="utf-8")
    text = note.partition("\n\n")[0].replace(known.verifier.name, "elsewhere.example.org/log", 1) + "\n"
    signed = known.sign(text)
    said = packed.changed(
        "origin", lambda folder: (folder / "checkpoint").write_text(assemble(text, [signed]), encoding="utf-8")
    )
    assert said.codes == {"wrong_origin", "file_changed"}
    assert "checkpoint" in said.place_of("wrong_origin")


def test_an_unknown_key_only(packed: Packages) -> None:
    stranger = SignerKey(name=_signer(packed).verifier.name, seed=b"\x07" * 32)
    said = audit(packed.period, "--key", str(stranger.verifier))
    assert (said.code, said.codes) == (1, {"unknown_key"})


def test_a_missing_quorum(packed: Packages) -> None:
    def change(folder: Path) -> None:
        whole = (folder / "checkpoint").read_text(encoding="utf-8")
        (folder / "checkpoint").write_text(
            "".join(line for line in whole.splitlines(keepends=True) if "— witness" not in line), "utf-8"
        )

    said = packed.changed("quorum", change)
    assert "checkpoint" in said.place_of("missing_quorum")
    kept = packed.changed("quorum", change, "--policy", packed.policy, "--without-quorum")
    assert kept.codes == {"file_changed"}


def test_a_witness_that_signed_something_else(packed: Packages) -> None:
    def change(folder: Path) -> None:
        whole = (folder / "checkpoint").read_text(encoding="utf-8").splitlines(keepends=True)
        at = next(number for number, line in enumerate(whole) if "— witness" in line)
        whole[at] = whole[at][:-10] + ("A" if whole[at][-10] != "A" else "B") + whole[at][-9:]
        (folder / "checkpoint").write_text("".join(whole), encoding="utf-8")

    assert "bad_signature" in packed.changed("witness", change).codes


@pytest.mark.parametrize(
    "policy",
    [
        "", "quorum none\n", "log x\nquorum none\n", "{log}\ngroup g 0 officer-1\nquorum g\n", "{log}\nquorum nobody\n",
        "{log}\n{witness}\ngroup g 2 officer-1\nquorum g\n", "{log}\n{witness}\nquorum officer-1\nquorum none\n", "{log}\n",
    ],
)  # fmt: skip
def test_a_policy_that_asks_for_nothing_is_no_policy(packed: Packages, policy: str) -> None:
    known = packed.policy.read_text(encoding="utf-8").splitlines()
    log = next(line for line in known if line.startswith("log"))
    witness = next(line for line in known if line.startswith("witness"))
    written = packed.folder / "bad-policy"
    written.write_text(policy.format(log=log, witness=witness), encoding="utf-8")
    said = audit(packed.period, "--policy", written)
    assert said.code == 2, said.text


def test_without_a_key_nothing_is_believed(packed: Packages) -> None:
    said = audit(packed.period)
    assert said.code == 2
    assert "key" in said.text


def test_the_shipped_script_is_the_tested_one(packed: Packages) -> None:
    assert (packed.period / "verify_evidence.py").read_bytes() == SCRIPT.read_bytes()
    assert audit(packed.period, "--policy", packed.policy, script=packed.period / "verify_evidence.py").code == 0
