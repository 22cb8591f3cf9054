"""Publishing: an auditor's copy of the folder is whole at every moment, survives any crash, and never goes back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import root_of
from consent.audit.note import SEED_SIZE, SignerKey
from consent.audit.tile_reader import Tiles
from consent.audit.tiles import folder, paths, unbundled
from leadgate.pipeline.publish import Publisher
from leadgate.pipeline.shelf import Shelf
from leadgate.storage import log
from schemas.errors import AuditError, StorageUnavailableError
from tests.houses.house import TestHouse


class StoppedError(Exception):
    """The process is gone."""


class Mortal(Shelf):
    """A folder of which the process dies after so many steps on the disk; ``torn`` leaves half of a file behind."""

    def __init__(self, folder: Path, *, steps: int, torn: bool = False) -> None:
        super().__init__(folder)
        self.steps = steps
        self.torn = torn

    def put(self, path: str, content: bytes) -> None:
        if self.steps == 0 and self.torn:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_name(target.name + ".part").write_bytes(content[: len(content) // 2])
        self._live()
        super().put(path, content)

    def flush(self) -> None:
        self._live()
        super().flush()

    def remove(self, path: str) -> bool:
        self._live()
        return super().remove(path)

    def _live(self) -> None:
        if self.steps == 0:
            raise StoppedError
        self.steps -= 1


def grow(house: TestHouse, leaves: int) -> int:
    """Leaves that need no lead: straight into the log."""
    with house.transaction() as tx:
        (before,) = tx.rows("select count(*) from audit_leaf")[0]
        log.append(tx, [(None, f"leaf {before + number}".encode()) for number in range(leaves)])
    return house.house.logbook.integrate().tree_size


def published(house: TestHouse) -> Path:
    return house.settings.log.publish_to


def audited(house: TestHouse) -> int:
    """What somebody sees who has the folder and the public key; the size of the log they verified leaf by leaf."""
    where = published(house)
    shown = checkpoints.verify((where / "checkpoint").read_bytes(), house.house.logbook.keys)
    tiles = Tiles(folder(where), size=shown.size)
    assert tiles.root() == shown.root
    assert root_of(tiles.leaf_hash(index) for index in range(shown.size)) == shown.root
    for index, leaf in tiles.leaves():
        assert leaf == f"leaf {index}".encode()
    return shown.size


def publisher(house: TestHouse, shelf: Shelf) -> Publisher:
    return Publisher(ledger=house.ledger, shelf=shelf, keys=house.house.logbook.keys, clock=house.clock)


def test_every_published_size_can_be_audited(house: TestHouse) -> None:
    for leaves in (1, 2, 252, 1, 1, 300, 513):
        size = grow(house, leaves)
        house.house.logbook.publish()
        assert audited(house) == size
    where = published(house)
    kept = {str(path.relative_to(where)) for path in where.rglob("*") if path.is_file()}
    assert set(paths(size)) <= kept
    assert not [name for name in kept if name.endswith(".part")]
    assert not [name for name in kept if name.startswith("tile/0/000.p")], "its tile is full"


def test_publishing_nothing_new_writes_nothing(house: TestHouse) -> None:
    grow(house, 5)
    assert house.house.logbook.publish().files == 3
    again = house.house.logbook.publish()
    assert (again.tree_size, again.files, again.repaired) == (5, 0, False)


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_at_any_step_shows_a_whole_log_and_is_repaired(sqlite_house: TestHouse, *, torn: bool) -> None:
    house, steps, died = sqlite_house, 0, True
    grow(house, 250)
    house.house.logbook.publish()
    pristine = published(house).with_name("pristine")
    shutil.copytree(published(house), pristine)
    size = grow(house, 300)
    while died:
        shutil.rmtree(published(house))
        shutil.copytree(pristine, published(house))
        house.run("update published_log set tree_size = 250")
        try:
            publisher(house, Mortal(published(house), steps=steps, torn=torn)).run()
            died = False
        except StoppedError:
            steps += 1
        assert audited(house) in (250, size), f"after {steps} steps"
        house.house.logbook.publish()
        assert audited(house) == size
    assert steps > 8


def test_two_at_once_publish_one_log(house: TestHouse) -> None:
    def work(number: int) -> None:
        mine = house.another()
        try:
            for _ in range(5):
                if number == 0:
                    grow(house, 37)
                mine.logbook.publish()
        finally:
            mine.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    house.house.logbook.publish()
    assert audited(house) == 185


def _truncated(where: Path) -> None:
    file = where / "checkpoint"
    file.write_bytes(file.read_bytes()[:-30])


def _emptied(where: Path) -> None:
    (where / "checkpoint").write_bytes(b"")


def _gone(where: Path) -> None:
    shutil.rmtree(where)


def _edge_flipped(where: Path) -> None:
    file = where / "tile/0/001.p/44"
    raw = bytearray(file.read_bytes())
    raw[7] ^= 1
    file.write_bytes(raw)


def _edge_lost(where: Path) -> None:
    shutil.rmtree(where / "tile/1")


def _edge_cut(where: Path) -> None:
    file = where / "tile/0/001.p/44"
    file.write_bytes(file.read_bytes()[:-1])


def _entries_lost(where: Path) -> None:
    shutil.rmtree(where / "tile/entries/001.p")


@pytest.mark.parametrize("damage", [_truncated, _emptied, _gone, _edge_flipped, _edge_lost, _edge_cut, _entries_lost])
def test_a_damaged_folder_is_written_anew(sqlite_house: TestHouse, damage: Callable[[Path], None]) -> None:
    house = sqlite_house
    grow(house, 300)
    house.house.logbook.publish()
    damage(published(house))
    grow(house, 10)
    assert house.house.logbook.publish().repaired
    assert audited(house) == 310


def test_a_flipped_bit_deep_inside_is_mended_by_writing_all_of_it(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    grow(house, 600)
    house.house.logbook.publish()
    file = published(house) / "tile/entries/000"
    raw = bytearray(file.read_bytes())
    raw[2] ^= 1
    file.write_bytes(raw)
    house.house.logbook.publish()
    assert unbundled(file.read_bytes())[0] != b"leaf 0", "what is not at the edge is not read again each minute"
    assert house.house.logbook.publish(whole=True).repaired
    assert audited(house) == 600


@pytest.fixture
def restored(sqlite_house: TestHouse) -> Iterator[TestHouse]:
    """A house whose ledger is a backup from before the newest published checkpoint."""
    house = sqlite_house
    grow(house, 100)
    house.house.logbook.publish()
    house.house.ledger.close()
    file = house.settings.state / "ledger.db"
    shutil.copyfile(file, file.with_name("backup.db"))
    grow(house, 50)
    house.house.logbook.publish()
    house.house.close()
    for side in file.parent.glob("ledger.db*"):
        side.unlink()
    shutil.copyfile(file.with_name("backup.db"), file)
    house.house = house.another()
    yield house
    house.house.close()


def test_a_restored_ledger_signs_no_second_history(restored: TestHouse) -> None:
    with restored.transaction() as tx:
        log.append(tx, [(None, b"another history")])
    for verb in (restored.house.seal, restored.house.logbook.publish):
        with pytest.raises(AuditError) as caught:
            verb()
        assert caught.value.code == "log_rolled_back"
        assert "leadgate log recover" in caught.value.message
    assert audited(restored) == 150


def test_what_was_published_brings_a_restored_ledger_up(restored: TestHouse) -> None:
    with restored.transaction() as tx:
        log.append(tx, [(None, b"leaf 120"), (None, b"new since the restore")])
    plan = restored.house.logbook.recover(actor="officer")
    assert (plan.leaves, plan.tree_size, plan.done) == (50, 150, False)
    done = restored.house.logbook.recover(actor="officer", apply=True)
    assert (done.leaves, done.tree_size, done.done) == (50, 150, True)
    assert restored.house.logbook.recover(actor="officer", apply=True).leaves == 0
    sealed = restored.house.seal()
    assert (sealed.integrated, sealed.tree_size) == (2, 152), "the new leaf, and the one that tells of this; no leaf twice"
    bodies = [bytes(row[0]) for row in restored.rows("select body from audit_leaf order by leaf_index")]
    assert bodies[:150] == [f"leaf {number}".encode() for number in range(150)]
    assert b"log.recovered" in bodies[151]


def test_a_ledger_that_went_another_way_is_stopped(restored: TestHouse) -> None:
    (published(restored) / "checkpoint").unlink()
    with restored.transaction() as tx:
        log.append(tx, [(None, f"other {number}".encode()) for number in range(80)])
    other = restored.house.logbook.integrate()
    assert other.tree_size == 180
    house = restored.another()
    shutil.rmtree(published(restored))
    restored.house.logbook.publish()
    grow_note = (published(restored) / "checkpoint").read_bytes()
    restored.run("update audit_leaf set leaf_hash = :hash where leaf_index = 3", hash=os.urandom(32))
    with pytest.raises(AuditError) as caught:
        house.logbook.publish()
    assert caught.value.code == "published_fork"
    assert (published(restored) / "checkpoint").read_bytes() == grow_note
    house.close()


def test_a_folder_of_another_log_is_left_alone(sqlite_house: TestHouse) -> None:
    stranger = SignerKey(name="log.example.org/stranger", seed=b"s" * SEED_SIZE)
    where = published(sqlite_house)
    where.mkdir()
    note = checkpoints.sign(size=1, root=bytes(32), signers=[stranger]).note
    (where / "checkpoint").write_text(note)
    with pytest.raises(AuditError) as caught:
        sqlite_house.house.seal()
    assert caught.value.code == "folder_of_another_log"
    assert (where / "checkpoint").read_text() == note


def test_a_folder_that_cannot_be_written_stops_no_sealing(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    published(house).write_text("a file where the folder should be")
    house.receive(house.invented.lead(1))
    sealed = house.house.seal()
    assert (sealed.integrated, sealed.tree_size, sealed.published) == (1, 1, 0)
    with pytest.raises(StorageUnavailableError) as caught:
        house.house.logbook.publish()
    assert caught.value.code == "log_not_published"
    published(house).unlink()
    assert house.house.seal().published == 1


def test_published_elsewhere_it_begins_anew(sqlite_house: TestHouse, tmp_path: Path) -> None:
    house = sqlite_house
    grow(house, 300)
    house.house.logbook.publish()
    count = publisher(house, Shelf(tmp_path / "elsewhere")).run()
    assert (count.tree_size, count.repaired) == (300, False)
    assert (tmp_path / "elsewhere/tile/0/000").read_bytes() == (published(house) / "tile/0/000").read_bytes()


def test_pruning_keeps_every_later_proof(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    grow(house, 700)
    house.house.logbook.publish()
    house.clock.advance(days=10)
    cut = house.clock.now - timedelta(days=1)
    size = grow(house, 500)
    house.house.logbook.publish()
    plan = house.house.logbook.prune(before=cut, actor="officer")
    assert (plan.minimum_index, plan.files, plan.done) == (700, 4, False)
    assert audited(house) == size, "a dry run touches nothing"
    done = house.house.logbook.prune(before=cut, actor="officer", apply=True)
    assert (done.files, done.done) == (4, True)
    where = published(house)
    assert not (where / "tile/entries/000").exists()
    assert not (where / "tile/0/001").exists()
    shown = checkpoints.verify((where / "checkpoint").read_bytes(), house.house.logbook.keys)
    tiles = Tiles(folder(where), size=shown.size)
    assert tiles.root() == shown.root
    for index in (700, 701, 900, size - 1):
        assert tiles.leaf(index) == f"leaf {index}".encode()
        tiles.inclusion_proof(index)
    for old in (700, 768, 1000):
        tiles.consistency_proof(old)
    assert b"log.pruned" in b"".join(bytes(row[0]) for row in house.rows("select body from audit_pending"))
    assert not house.house.logbook.publish(whole=True).removed
    assert not (where / "tile/entries/000").exists(), "a repair brings nothing back"
    grow(house, 90)
    house.house.logbook.publish()
    assert house.house.logbook.prune(before=cut, actor="officer", apply=True).files == 0
