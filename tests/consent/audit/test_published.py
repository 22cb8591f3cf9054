"""A log of 10,000 leaves, exported and published in tiles: accepted as it is, rejected with its place in every other way."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consent.audit import checkpoint, note, tiles
from consent.audit.cosignature import Kind
from consent.audit.findings import Report
from consent.audit.merkle import Levels, leaf_hash
from consent.audit.note import Signature, SignerKey
from consent.audit.policy import Policy
from consent.audit.tiles import entries_path, tile_path
from consent.audit.verify import verify
from schemas.audit import Checkpoint
from schemas.errors import AuditError
from tests.consent.audit.synthetic import NOW, ORIGIN, SIGNER, STRANGER, World, busy_world

SIZE = 10_000
PQ = SignerKey(name=ORIGIN, seed=b"\x01" * 32, kind=Kind.ML_DSA_44)
OFFICER = SignerKey(name="witness.example.org", seed=b"\x03" * 32, kind=Kind.ED25519_COSIGNATURE)
PARTNER = SignerKey(name="witness.example.net", seed=b"\x04" * 32, kind=Kind.ML_DSA_44)
POLICY = Policy.parse(
    f"log {SIGNER.verifier}\nlog {PQ.verifier}\nwitness officer {OFFICER.verifier}\nwitness partner {PARTNER.verifier}\n"
    "group both all officer partner\nquorum both\n"
)
WHEN = int(NOW.timestamp()) - 60
WORLD = busy_world(3333)
BODIES = [row.leaf for row in WORLD.leaves]
LEVELS = Levels(map(leaf_hash, BODIES))


def seen(note_: str, *witnesses: SignerKey) -> str:
    return checkpoint.joined(note_, [checkpoint.cosign(note_, each, time=WHEN) for each in witnesses])


def signed(size: int, *, by: SignerKey = SIGNER, levels: Levels = LEVELS) -> str:
    return checkpoint.sign(size=size, root=levels.root(size), signers=[by, PQ] if by is SIGNER else [by], time=WHEN).note


NOTE = seen(signed(SIZE), OFFICER, PARTNER)


def publish(folder: Path, bodies: list[bytes], checkpoint_: str) -> Path:
    for path, body in tiles.extend(lambda _: None, size=0, leaves=bodies):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    (folder / "checkpoint").write_text(checkpoint_)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("log"), BODIES, NOTE)


@pytest.fixture
def log(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "log"))


def check(folder: Path, *, trusted: Checkpoint | None = None, **named: object) -> Report:
    given: dict[str, object] = {"policy": POLICY, "now": NOW} | named
    return verify(folder, [SIGNER.verifier], trusted=trusted, **given)  # type: ignore[arg-type]


def named(report: Report) -> list[tuple[str, str]]:
    assert not report.ok
    return [(each.code, each.place) for each in report.findings]


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.write_bytes(how(path.read_bytes()))


def test_ten_thousand_leaves_are_accepted(log: Path) -> None:
    assert len(BODIES) == SIZE
    report = check(log, trusted=checkpoint.parse(signed(4_321)), max_age=3600)
    assert report.findings == ()
    assert (report.leaves, report.sealed, report.pruned) == (SIZE, SIZE, 0)
    assert report.witnesses == ("officer", "partner")
    assert report.origin == ORIGIN
    assert report.erased == 1
    assert report.events["lead.admitted"] == 3333
    only = verify(log, [PQ.verifier], now=NOW)
    assert only.ok
    assert only.witnesses == ()


def test_the_export_of_ten_thousand_is_accepted_with_the_same_policy_and_its_tiles(log: Path, tmp_path: Path) -> None:
    folder = WORLD.export(tmp_path / "export", notes=[*(each.note for each in WORLD.checkpoints), NOTE])
    shutil.copytree(log / "tile", folder / "tile")
    report = check(folder)
    assert report.findings == ()
    assert (report.leaves, report.sealed, report.witnesses) == (SIZE, SIZE, ("officer", "partner"))
    change(folder / tile_path(0, 20), lambda body: bytes([body[0] ^ 1]) + body[1:])
    assert named(check(folder)) == [("tile_changed", "tile/0/020, hash 0")]


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_in_any_tile(log: Path, seed: int) -> None:
    choose = random.Random(seed)
    path = choose.choice([path for path in tiles.paths(SIZE) if "entries" not in path])
    bit = choose.randrange((log / path).stat().st_size * 8)

    def flipped(body: bytes) -> bytes:
        raw = bytearray(body)
        raw[bit // 8] ^= 1 << bit % 8
        return bytes(raw)

    change(log / path, flipped)
    assert named(check(log)) == [("tile_changed", f"{path}, hash {bit // 256}")]


@pytest.mark.parametrize("index", [0, 2_559, 2_560, 5_000, 9_999])
def test_a_changed_or_removed_leaf(log: Path, index: int) -> None:
    number, at = divmod(index, 256)
    path = log / entries_path(number, min(256, SIZE - number * 256))
    leaves = tiles.unbundled(path.read_bytes())
    other = leaves[at].replace(b'"v":1', b'"v":2')
    path.write_bytes(tiles.bundled([*leaves[:at], other, *leaves[at + 1 :]]))
    assert ("leaf_changed", f"leaf {index}") in named(check(log))
    path.write_bytes(tiles.bundled([*leaves[:at], *leaves[at + 1 :]]))
    assert ("leaf_missing", f"leaf {index}") in named(check(log))


def forged() -> tuple[list[bytes], str]:
    """A second history: one leaf is another, everything after it is signed again, with the log's own key."""
    bodies = list(BODIES)
    bodies[7_000] = bodies[7_000].replace(b'"actor":"system"', b'"actor":"nobody"')
    return bodies, signed(SIZE, levels=Levels(map(leaf_hash, bodies)))


def test_a_fork(tmp_path: Path) -> None:
    bodies, note_ = forged()
    folder = publish(tmp_path, bodies, note_)
    assert verify(folder, [SIGNER.verifier], now=NOW).ok  # whoever has the key can: nobody watched
    for size in (7_001, SIZE):
        kept = checkpoint.parse(signed(size))
        assert named(verify(folder, [SIGNER.verifier], trusted=kept, now=NOW)) == [
            ("log_rewritten", f"checkpoint you kept, of size {size}")
        ]
    before = checkpoint.parse(signed(7_000))
    assert verify(folder, [SIGNER.verifier], trusted=before, now=NOW).ok
    assert named(check(folder)) == [("quorum_missing", f"checkpoint of size {SIZE}")]
    (folder / "checkpoint").write_text(NOTE)
    assert named(check(folder, trusted=before)) == [("root_mismatch", "between leaf 7000 and leaf 9999")]


def test_a_rollback(tmp_path: Path) -> None:
    folder = publish(tmp_path, BODIES[:9_000], seen(signed(9_000), OFFICER, PARTNER))
    assert check(folder).ok
    findings = named(check(folder, trusted=checkpoint.parse(NOTE)))
    assert findings == [("log_rolled_back", f"checkpoint you kept, of size {SIZE}")]


def test_leaves_removed_from_the_end(log: Path, tmp_path: Path) -> None:
    shorter = publish(tmp_path / "shorter", BODIES[:-1], NOTE)
    found = named(check(shorter))
    assert ("leaf_missing", "leaves 9984 to 9999") in found
    assert check(log).ok


def test_another_origin_key_or_no_key_of_the_log(log: Path) -> None:
    far = SignerKey(name="else.example.org/log", seed=b"\x05" * 32)
    text = note.parse(NOTE)[0]
    cases = {
        "checkpoint_foreign_key": signed(SIZE, by=STRANGER),
        "checkpoint_wrong_origin": note.sign(text, [far]),
        "checkpoint_bad_signature": NOTE.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n"),
        "checkpoint_damaged": NOTE[: len(text) + 20],
    }
    for code, note_ in cases.items():
        (log / "checkpoint").write_text(note_)
        report = verify(log, [SIGNER.verifier, far.verifier], now=NOW)
        assert [each.code for each in report.findings] == [code, "nothing_signed"], code
        assert report.sealed == 0
    (log / "checkpoint").write_text(checkpoint.joined(note.assemble(text, []) + "— x AAAAAAA=\n", []))
    assert [each.code for each in check(log).findings] == ["checkpoint_foreign_key", "nothing_signed"]


def test_only_witnesses_signed(log: Path) -> None:
    text = note.parse(NOTE)[0]
    namesake = SignerKey(name=ORIGIN, seed=b"\x06" * 32, kind=Kind.ML_DSA_44)
    policy = Policy.parse(f"log {SIGNER.verifier}\nwitness namesake {namesake.verifier}\nquorum namesake\n")
    for rules, signers in ((POLICY, [OFFICER, PARTNER]), (policy, [namesake])):
        (log / "checkpoint").write_text(note.sign(text, signers, time=WHEN))
        assert [each.code for each in check(log, policy=rules).findings] == ["checkpoint_foreign_key", "nothing_signed"]


def test_a_missing_or_late_quorum_and_a_forged_witness(log: Path) -> None:
    (log / "checkpoint").write_text(seen(signed(SIZE), OFFICER))
    report = check(log)
    assert named(report) == [("quorum_missing", f"checkpoint of size {SIZE}")]
    assert "missing are partner" in report.findings[0].problem
    assert report.witnesses == ("officer",)
    assert report.sealed == SIZE
    (log / "checkpoint").write_text(NOTE)
    assert named(check(log, now=NOW + timedelta(days=2), max_age=86_400))[0][0] == "quorum_missing"
    line = checkpoint.cosign(signed(9_999), PARTNER, time=WHEN)
    wrong = Signature(name=line.name, key_id=line.key_id, value=line.value)
    (log / "checkpoint").write_text(checkpoint.joined(NOTE, [wrong]))
    assert [each.code for each in check(log).findings] == ["checkpoint_bad_signature", "nothing_signed"]


@pytest.mark.parametrize("length", [0, 1, 50, len(NOTE.encode()) // 2, len(NOTE.encode()) - 1])
def test_a_checkpoint_file_that_was_cut(log: Path, length: int) -> None:
    change(log / "checkpoint", lambda body: body[:length])
    found = [each.code for each in check(log).findings]
    assert found == ["checkpoint_damaged", "nothing_signed"]
    kept = checkpoint.parse(signed(SIZE))
    report = check(log, trusted=kept)
    assert [each.code for each in report.findings] == ["checkpoint_damaged", "log_rolled_back", "nothing_signed"]
    assert report.sealed == SIZE


def test_a_checkpoint_file_that_is_missing(log: Path) -> None:
    (log / "checkpoint").unlink()
    assert named(check(log)) == [("file_missing", "checkpoint"), ("nothing_signed", "checkpoint")]


def test_a_pruned_log(log: Path) -> None:
    for path in tiles.prunable(0, 5_000):
        (log / path).unlink()
    assert {each.code for each in check(log).findings} >= {"leaf_missing", "tile_missing"}
    report = check(log, minimum=5_000, trusted=checkpoint.parse(signed(6_000)))
    assert report.findings == ()
    assert (report.pruned, report.leaves, report.sealed) == (4_864, SIZE - 4_864, SIZE)
    assert report.events == {}


def test_what_was_sent_before_it_was_admitted(tmp_path: Path) -> None:
    world = World()
    world.deliver(1)
    world.seal()
    folder = publish(tmp_path, [row.leaf for row in world.leaves], world.checkpoints[-1].note)
    assert [each.code for each in verify(folder, [SIGNER.verifier], now=NOW).findings] == ["sent_without_admission"]


def test_keys_that_cannot_be_used_are_an_error(log: Path) -> None:
    with pytest.raises(AuditError) as caught:
        verify(log, [], now=NOW)
    assert caught.value.code == "no_key"
    assert verify(log, [], policy=POLICY, now=NOW).ok
