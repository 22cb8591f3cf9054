"""The full re-audit: every way to tamper with a folder of tiles is found, and named at its place."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit import tiles
from consent.audit.findings import Collector, Finding
from consent.audit.history import Statement
from consent.audit.merkle import Levels, leaf_hashes
from consent.audit.reaudit import Audited, audit_tiles
from consent.audit.tiles import entries_path, extend, prunable, tile_path
from schemas.audit import Checkpoint

SIZE = 70_000
LEAVES = [b"leaf %d" % number for number in range(SIZE)]
LEVELS = Levels(leaf_hashes(LEAVES))
WHOLE = dict(extend(lambda _: None, size=0, leaves=LEAVES))
SMALL = 700
FEW = dict(extend(lambda _: None, size=0, leaves=LEAVES[:SMALL]))

Files = dict[str, bytes]


def point(size: int, root: bytes | None = None) -> Checkpoint:
    return Checkpoint(origin="audit.example.org", size=size, root=root or LEVELS.root(size), note="")


def audited(files: Files, size: int = SMALL, **named: object) -> tuple[tuple[Finding, ...], Audited]:
    found = Collector()
    done = audit_tiles(files.get, point(size), found=found, **named)  # type: ignore[arg-type]
    assert done.sealed or found.findings
    return found.findings, done


def named(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(each.code, each.place) for each in findings]


def flip(body: bytes, bit: int) -> bytes:
    raw = bytearray(body)
    raw[bit // 8] ^= 1 << bit % 8
    return bytes(raw)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, SIZE])
def test_a_whole_log_is_whole(size: int) -> None:
    files = dict(extend(lambda _: None, size=0, leaves=LEAVES[:size]))
    told: list[int] = []
    findings, done = audited(files, size, each=lambda index, leaf: told.append(index) or leaf == LEAVES[index])
    assert findings == ()
    assert done == Audited(first=0, leaves=size, sealed=True)
    assert told == list(range(size))


def test_an_older_checkpoint_is_audited_from_a_folder_that_has_grown() -> None:
    for size in (1, 255, 256, 300, 699):
        assert audited({path: body for path, body in WHOLE.items() if ".p/" not in path}, size)[0] == ()


@pytest.mark.parametrize("path", [path for path in FEW if "entries" not in path])
def test_one_flipped_bit_in_any_hash_of_any_tile_is_named(path: str) -> None:
    choose = random.Random(path)
    hashes = range(len(FEW[path]) // 32)
    for at in hashes if len(hashes) < 10 else choose.sample(hashes, 10):
        findings, done = audited(FEW | {path: flip(FEW[path], at * 256 + choose.randrange(256))})
        assert named(findings) == [("tile_changed", f"{path}, hash {at}")]
        assert done.sealed


@pytest.mark.parametrize("path", [path for path in FEW if "entries" in path])
def test_one_changed_byte_in_any_bundle_names_the_leaf(path: str) -> None:
    first = {entries_path(0): 0, entries_path(1): 256, entries_path(2, 188): 512}[path]
    leaves = tiles.unbundled(FEW[path])
    for at in random.Random(path).sample(range(len(leaves)), 10):
        changed = [*leaves[:at], leaves[at][:-1] + b"!", *leaves[at + 1 :]]
        findings, done = audited(FEW | {path: tiles.bundled(changed)})
        assert named(findings) == [("leaf_changed", f"leaf {first + at}")]
        assert path in findings[0].problem
        assert not done.sealed


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_flipped_bit_of_a_file_goes_unseen(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(FEW)))
    bit = data.draw(st.integers(0, len(FEW[path]) * 8 - 1))
    findings, _ = audited(FEW | {path: flip(FEW[path], bit)})
    assert findings
    first = {"000": 0, "001": 256, "002.p/188": 512}
    for each in findings:
        if each.code == "leaf_changed":
            begin = first[path.removeprefix("tile/entries/")]
            assert begin <= int(each.place.removeprefix("leaf ")) < begin + 256
        else:
            assert path in each.place


def test_damage_in_several_places_is_named_in_all_of_them() -> None:
    changed = tiles.unbundled(WHOLE[entries_path(100)])
    changed[7] = b"another"
    files = WHOLE | {
        entries_path(100): tiles.bundled(changed),
        tile_path(0, 100): flip(WHOLE[tile_path(0, 100)], 200 * 256),
        tile_path(0, 5): flip(WHOLE[tile_path(0, 5)], 0),
        tile_path(1, 0): flip(WHOLE[tile_path(1, 0)], 30 * 256),
        tile_path(1, 1, 17): flip(WHOLE[tile_path(1, 1, 17)], 16 * 256),
        tile_path(2, 0, 1): flip(WHOLE[tile_path(2, 0, 1)], 5),
    }
    assert sorted(named(audited(files, SIZE)[0])) == [
        ("leaf_changed", "leaf 25607"),
        ("tile_changed", "tile/0/005, hash 0"),
        ("tile_changed", "tile/0/100, hash 200"),
        ("tile_changed", "tile/1/000, hash 30"),
        ("tile_changed", "tile/1/001.p/17, hash 16"),
        ("tile_changed", "tile/2/000.p/1, hash 0"),
    ]


def without(path: str, at: int, *, count: int = 1) -> Files:
    leaves = tiles.unbundled(FEW[path])
    return FEW | {path: tiles.bundled(leaves[:at] + leaves[at + count :])}


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        (without(entries_path(1), 44), "leaf_missing", "leaf 300"),
        (without(entries_path(0), 0), "leaf_missing", "leaf 0"),
        (without(entries_path(2, 188), 187), "leaf_missing", "leaf 699"),
        (without(entries_path(2, 188), 8, count=5), "leaf_missing", "leaves 520 to 524"),
        ({path: body for path, body in FEW.items() if path != entries_path(1)}, "leaf_missing", "leaves 256 to 511"),
        (FEW | {entries_path(1): b""}, "leaf_missing", "leaves 256 to 511"),
        (FEW | {entries_path(1): FEW[entries_path(1)][:-1]}, "bundle_damaged", "tile/entries/001"),
        (FEW | {entries_path(1): FEW[entries_path(1)] + b"\x00\x01x"}, "bundle_damaged", "tile/entries/001"),
        (FEW | {entries_path(1): tiles.bundled(LEAVES[255:510])}, "bundle_damaged", "tile/entries/001"),
        (FEW | {tile_path(0, 1): FEW[tile_path(0, 1)][:-1]}, "tile_damaged", "tile/0/001"),
        (FEW | {tile_path(1, 0, 2): b""}, "tile_damaged", "tile/1/000.p/2"),
        ({path: body for path, body in FEW.items() if path != tile_path(0, 0)}, "tile_missing", "tile/0/000"),
        ({path: body for path, body in FEW.items() if path != tile_path(1, 0, 2)}, "tile_missing", "tile/1/000.p/2"),
    ],
)
def test_what_is_missing_or_cut_is_named_and_the_rest_still_proven(files: Files, code: str, place: str) -> None:
    findings, done = audited(files)
    assert named(findings) == [(code, place)]
    assert done.sealed


def test_a_bundle_and_its_tile_may_both_be_gone() -> None:
    files = {path: body for path, body in FEW.items() if path not in {entries_path(1), tile_path(0, 1)}}
    findings, done = audited(files)
    assert sorted(named(findings)) == [("leaf_missing", "leaves 256 to 511"), ("tile_missing", "tile/0/001")]
    assert done.sealed


def rebuilt(change: Callable[[list[bytes]], object]) -> Files:
    leaves = LEAVES[:SMALL]
    change(leaves)
    return dict(extend(lambda _: None, size=0, leaves=leaves))


def test_a_removed_leaf_with_every_tile_rebuilt_is_found() -> None:
    findings, done = audited(rebuilt(lambda leaves: leaves.pop(300)))
    assert not done.sealed
    assert {"leaf_missing", "root_mismatch"} <= {each.code for each in findings}


def test_a_second_history_with_every_tile_rebuilt_is_found() -> None:
    kept = [Statement(size=size, root=LEVELS.root(size), place=f"kept {size}", kept=True) for size in (100, 300, 650)]
    forged = rebuilt(lambda leaves: leaves.__setitem__(600, b"forged"))
    findings, _ = audited(forged, kept=kept)
    assert named(findings) == [("root_mismatch", "between leaf 300 and leaf 699"), ("log_rewritten", "kept 650")]
    found = Collector()
    new_root = Levels(leaf_hashes([*LEAVES[:600], b"forged", *LEAVES[601:SMALL]])).root()
    assert audit_tiles(forged.get, point(SMALL, new_root), found=found, kept=kept).sealed
    assert named(found.findings) == [("log_rewritten", "kept 650")]


def test_a_part_of_which_both_copies_were_rewritten_is_named_as_a_segment() -> None:
    forged = rebuilt(lambda leaves: leaves.__setitem__(300, b"forged"))
    files = FEW | {path: forged[path] for path in (entries_path(1), tile_path(0, 1))}
    assert named(audited(files)[0]) == [("root_mismatch", "between leaf 256 and leaf 511")]


@pytest.mark.parametrize("minimum", [1, 256, 300, 65_535, 65_536, 66_000, 69_888, 69_999, SIZE])
def test_a_pruned_log_is_audited_from_its_minimum_on(minimum: int) -> None:
    gone = set(prunable(0, minimum))
    files = {path: body for path, body in WHOLE.items() if path not in gone}
    findings, done = audited(files, SIZE, minimum=minimum)
    assert findings == ()
    assert done.first == minimum // 256 * 256
    assert done.leaves == SIZE - done.first
    if gone:
        assert {"leaf_missing", "tile_missing"} >= {each.code for each in audited(files, SIZE)[0]} != set()
    if minimum < 66_000:
        changed = tiles.unbundled(files[entries_path(272)])
        changed[0] = b"x"
        findings, _ = audited(files | {entries_path(272): tiles.bundled(changed)}, SIZE, minimum=minimum)
        assert named(findings) == [("leaf_changed", f"leaf {272 * 256}")]


def test_a_kept_checkpoint_from_before_the_minimum_cannot_be_held_against_it() -> None:
    files = {path: body for path, body in WHOLE.items() if path not in set(prunable(0, 66_000))}
    early = Statement(size=300, root=LEVELS.root(300), place="kept 300", kept=True)
    late = Statement(size=66_100, root=LEVELS.root(66_100), place="kept 66100", kept=True)
    assert named(audited(files, SIZE, minimum=66_000, kept=[early, late])[0]) == [("pruned_past", "kept 300")]
    wrong = Statement(size=66_100, root=sha256(b"x").digest(), place="signed 66100")
    assert named(audited(files, SIZE, minimum=66_000, kept=[wrong])[0]) == [("checkpoint_inconsistent", "signed 66100")]


def test_an_empty_folder_proves_nothing_and_says_so() -> None:
    findings, done = audited({})
    assert not done.sealed
    assert {"leaf_missing", "tile_missing", "root_mismatch"} == {each.code for each in findings}
