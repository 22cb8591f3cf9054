"""Tiles: the files of the specification, grown in any steps, and proofs from them equal to those from memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit import merkle, tiles
from consent.audit.merkle import EMPTY_ROOT, Levels, leaf_hashes
from consent.audit.tile_reader import Tiles
from consent.audit.tiles import entries_path, extend, is_path, outgrown, paths, prunable, tile_path
from schemas.errors import AuditError

SIZE = 70_000
LEAVES = [number.to_bytes(1 + number % 5, "big", signed=False) if number < 256 else b"%d" % number for number in range(SIZE)]
LEVELS = Levels(leaf_hashes(LEAVES))


class Files(dict[str, bytes]):
    """A folder in memory; what was written once is never written otherwise."""

    def grow(self, before: int, size: int) -> Files:
        for path, body in extend(self.get, size=before, leaves=iter(LEAVES[before:size])):
            assert is_path(path)
            assert self.setdefault(path, body) == body
        return self


def grown(*sizes: int) -> Files:
    made, before = Files(), 0
    for size in sizes:
        made.grow(before, size)
        before = size
    return made


WHOLE = grown(SIZE)


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "000"),
        (7, 256, "007"),
        (999, 1, "999.p/1"),
        (1000, 255, "x001/000.p/255"),
        (1234067, 256, "x001/x234/067"),
        (123456789012, 256, "x123/x456/x789/012"),
    ],
)
def test_numbers_are_written_in_threes(number: int, width: int, path: str) -> None:
    assert tile_path(63, number, width) == f"tile/63/{path}"
    assert entries_path(number, width) == f"tile/entries/{path}"
    assert is_path(tile_path(63, number, width))
    assert is_path(entries_path(number, width))


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/0", "tile/0/0000", "tile/0/x000",
        "tile/0/x000/001", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256",
        "tile/0/../000", "../tile/0/000", "/tile/0/000", "tile/0/000/", "tile/0/000\n", "tile/entries", "tile/0/001/002",
        "tile/0/x001/x002", "checkpoint", "tile/0/٠٠٠",
    ],
)  # fmt: skip
def test_no_other_path_is_one(path: str) -> None:
    assert not is_path(path)


def test_a_log_of_seventy_thousand_has_the_tiles_of_the_specification() -> None:
    hashes = [path for path in WHOLE if "entries" not in path]
    assert sum(path.startswith("tile/0/") and ".p/" not in path for path in hashes) == 273
    assert {path for path in hashes if ".p/" in path} == {"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert [path for path in hashes if path.startswith("tile/1/") and ".p" not in path] == ["tile/1/000"]
    assert set(paths(SIZE)) == WHOLE.keys()
    assert set(paths(256)) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"}
    assert list(paths(0)) == []
    assert {len(body) for path, body in WHOLE.items() if path in hashes and ".p/" not in path} == {8192}


def test_hashes_and_entries_stand_where_the_specification_says() -> None:
    assert WHOLE["tile/0/003"] == b"".join(LEVELS.read(0, 768 + at) for at in range(256))
    assert WHOLE["tile/1/000"] == b"".join(LEVELS.read(8, at) for at in range(256))
    assert WHOLE["tile/2/000.p/1"] == LEVELS.read(16, 0)
    assert WHOLE["tile/entries/273.p/112"][:7] == b"\x00\x05" + b"69888"
    assert tiles.unbundled(WHOLE["tile/entries/000"]) == LEAVES[:256]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=6))
def test_grown_in_steps_or_at_once_the_files_are_the_same(sizes: list[int]) -> None:
    steps = sorted(sizes)
    stepwise, at_once = grown(*steps), grown(steps[-1])
    assert {path: stepwise[path] for path in paths(steps[-1])} == dict(at_once)
    for size in steps:
        assert set(paths(size)) <= stepwise.keys() | {path for path in at_once if ".p/" not in path}
        assert Tiles(stepwise.get, size=size).root() == LEVELS.root(size)


def test_a_step_that_was_cut_short_is_made_again() -> None:
    files = grown(300)
    for path, body in [*extend(files.get, size=300, leaves=iter(LEAVES[300:900]))][:3]:
        files[path] = body
    assert Tiles(files.grow(300, 900).get, size=900).root() == LEVELS.root(900)


def test_every_size_up_to_600_has_the_reference_root_and_proofs() -> None:
    files = grown(*range(601))
    choose = random.Random(1)
    for size in range(1, 601):
        tree = Tiles(files.get, size=size)
        assert tree.root() == LEVELS.root(size)
        for index in {0, size - 1, choose.randrange(size), choose.randrange(size)}:
            proof = tree.inclusion_proof(index)
            assert proof == merkle.inclusion_proof(LEVELS.read, index=index, size=size)
            assert tree.leaf(index) == LEAVES[index]
        size1 = choose.randint(1, size)
        assert tree.consistency_proof(size1) == merkle.consistency_proof(LEVELS.read, size1=size1, size2=size)
    assert Tiles(files.get, size=0).root() == EMPTY_ROOT


def test_proofs_of_a_large_log_are_those_from_memory() -> None:
    tree = Tiles(WHOLE.get, size=SIZE)
    choose = random.Random(2)
    for _ in range(200):
        size = choose.randint(1, SIZE)
        index, size1 = choose.randrange(size), choose.randint(1, size)
        assert tree.inclusion_proof(index, size) == merkle.inclusion_proof(LEVELS.read, index=index, size=size)
        assert tree.consistency_proof(size1, size) == merkle.consistency_proof(LEVELS.read, size1=size1, size2=size)
        assert tree.leaf(index) == LEAVES[index]
    assert list(tree.leaves(250, 260)) == list(enumerate(LEAVES[250:260], 250))
    assert tree.leaf_hash(5) == LEVELS.read(0, 5)


def test_partial_tiles_may_go_once_the_full_one_is_there() -> None:
    files = grown(100, 255, 300, 65_600)
    gone = list(outgrown(0, 65_600))
    left = Files({path: body for path, body in files.items() if not any(path.startswith(f"{each}/") for each in gone)})
    assert set(left) == set(paths(65_600))
    for size in (100, 255, 300, 65_600):
        assert Tiles(left.get, size=size).root() == LEVELS.root(size)
        assert Tiles(left.get, size=size).leaf(size - 1) == LEAVES[size - 1]
    assert list(outgrown(300, 511)) == []
    assert list(outgrown(300, 512)) == ["tile/0/001.p", "tile/entries/001.p"]


@pytest.mark.parametrize("minimum", [1, 255, 256, 257, 5_000, 65_535, 65_536, 65_537, 69_999, SIZE])
def test_a_pruned_log_proves_everything_from_its_minimum_on(minimum: int) -> None:
    gone = set(prunable(0, minimum))
    left = Files({path: body for path, body in WHOLE.items() if path not in gone})
    assert set(left) == set(paths(SIZE, minimum=minimum))
    assert gone.isdisjoint(prunable(minimum, SIZE))
    assert gone | set(prunable(minimum, SIZE)) == set(prunable(0, SIZE))
    tree = Tiles(left.get, size=SIZE)
    assert tree.root() == LEVELS.root()
    for index in {minimum, (minimum + SIZE) // 2, SIZE - 1}:
        if index < SIZE:
            assert tree.inclusion_proof(index) == merkle.inclusion_proof(LEVELS.read, index=index, size=SIZE)
            assert tree.inclusion_proof(index, index + 1) == merkle.inclusion_proof(LEVELS.read, index=index, size=index + 1)
            assert tree.leaf(index) == LEAVES[index]
        assert tree.root(index) == LEVELS.root(index)
        assert tree.consistency_proof(index) == merkle.consistency_proof(LEVELS.read, size1=index, size2=SIZE)
    grown_on = left.copy()
    files = Files(grown_on)
    assert list(extend(files.get, size=SIZE, leaves=iter([b"one more"])))
    if minimum >= 256:
        with pytest.raises(AuditError) as caught:
            tree.leaf(0)
        assert caught.value.code == "tile_missing"


def refusals(files: Files, size: int) -> Iterator[str]:
    tree = Tiles(files.get, size=size)
    for ask in (tree.root, lambda: tree.leaf(size - 1), lambda: [*extend(files.get, size=size, leaves=[b"more"])]):
        with pytest.raises(AuditError) as caught:
            ask()
        assert caught.value.field
        yield caught.value.code


def test_what_is_missing_or_cut_is_named() -> None:
    assert set(refusals(Files(), 300)) == {"tile_missing"}
    cut = Files({path: body[:-1] for path, body in grown(300).items()})
    assert set(refusals(cut, 300)) == {"tile_damaged", "bundle_cut"}
    short = grown(300)
    short["tile/entries/001.p/44"] = tiles.bundled(LEAVES[256:299])
    with pytest.raises(AuditError) as caught:
        Tiles(short.get, size=300).leaf(298)
    assert caught.value.code == "bundle_cut"
    for size, index in ((300, 300), (300, -1)):
        with pytest.raises(AuditError):
            Tiles(short.get, size=size).leaf(index)
    for ask in ({"size": 301}, {"size": -1}):
        with pytest.raises(AuditError):
            Tiles(short.get, size=300).root(**ask)
    with pytest.raises(AuditError):
        [*extend(short.get, size=-1, leaves=[])]
    with pytest.raises(AuditError):
        tiles.bundled([b"x" * 65_536])
    assert tiles.unbundled(tiles.bundled([b"x" * 65_535, b""])) == [b"x" * 65_535, b""]


@given(st.lists(st.binary(max_size=300), max_size=20), st.data())
def test_a_bundle_reads_back_and_none_that_is_cut_does(leaves: list[bytes], data: st.DataObject) -> None:
    bundle = tiles.bundled(leaves)
    assert tiles.unbundled(bundle) == leaves
    if bundle:
        cut = bundle[: data.draw(st.integers(0, len(bundle) - 1))]
        try:
            assert len(tiles.unbundled(cut)) < len(leaves)
        except AuditError:
            return


def test_a_folder_is_read_and_a_missing_file_is_none(tmp_path: Path) -> None:
    for path, body in grown(300).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(body)
    fetch = tiles.folder(tmp_path)
    assert Tiles(fetch, size=300).root() == LEVELS.root(300)
    assert fetch("tile/0/007") is None
    assert fetch("tile/0/000/007") is None
