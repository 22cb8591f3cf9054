"""Offline proofs from the ledger: any leaf, any size, without reading the log; and no proof that nobody vouches for."""

from __future__ import annotations

import random
from functools import partial

import pytest

from consent.audit import note as notes
from consent.audit import proof as formats
from consent.audit.merkle import CompactRange, Levels, consistency_proof, inclusion_proof, leaf_hashes
from leadgate.pipeline import proofs
from leadgate.pipeline.hashes import Hashes, nodes_to_add
from leadgate.settings.log import WitnessSettings
from leadgate.storage import log, witness
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.witness import Cosigned
from schemas.errors import AuditError
from tests.houses.house import TestHouse
from tests.houses.witnesses import invented_key, watched


def _add(tx: Transaction, tree: CompactRange, bodies: list[bytes]) -> None:
    hashes, begin = leaf_hashes(bodies), tree.size
    log.add_leaves(tx, [(begin + at, None, hashes[at], body) for at, body in enumerate(bodies)])
    tree.extend(hashes)
    log.add_nodes(tx, nodes_to_add(tx, tree.size, dict(enumerate(hashes, begin))))


def _bodies(begin: int, count: int) -> list[bytes]:
    return [f"leaf {begin + number}".encode() for number in range(count)]


@pytest.mark.parametrize("batches", [[1], [255], [256], [257], [1, 254, 1, 1, 255, 512], [700, 1, 1, 1111], [70_000]])
def test_what_is_read_in_pieces_is_what_a_whole_tree_gives(ledger: Ledger, batches: list[int]) -> None:
    tree = CompactRange()
    for count in batches:
        with ledger.transaction() as tx:
            _add(tx, tree, _bodies(tree.size, count))
    whole = Levels(leaf_hashes(_bodies(0, tree.size)))
    luck = random.Random(tree.size)
    indexes = sorted({0, tree.size - 1, *(luck.randrange(tree.size) for _ in range(30))})
    olds = sorted({1, tree.size, *(luck.randrange(1, tree.size + 1) for _ in range(30))})
    with ledger.snapshot() as tx:
        assert Hashes(tx).root(tree.size) == tree.root()
        gathered = Hashes(tx)
        gathered.gather(*(partial(inclusion_proof, index=index, size=tree.size) for index in indexes))
        for index in indexes:
            expected = inclusion_proof(whole.read, index=index, size=tree.size)
            assert inclusion_proof(gathered.read, index=index, size=tree.size) == expected
        found = Hashes(tx).consistency(olds, tree.size)
        for old in olds:
            assert found[old] == consistency_proof(whole.read, size1=old, size2=tree.size)


def test_a_ledger_of_an_older_version_gets_its_subtrees_at_the_next_sealing(house: TestHouse) -> None:
    with house.transaction() as tx:
        log.append(tx, [(None, body) for body in _bodies(0, 600)])
    size = house.house.seal().tree_size
    house.run("delete from audit_node")
    with house.house.ledger.snapshot() as tx, pytest.raises(AuditError) as caught:
        Hashes(tx).root(size)
    assert caught.value.code == "hash_missing"
    house.house.seal()
    assert house.rows("select level, node_index from audit_node order by 2") == [(1, 0), (1, 1)]
    with house.house.ledger.snapshot() as tx:
        assert Hashes(tx).root(size).hex() == house.house.seal().root


def test_a_lead_is_proven_with_its_key_and_leaf_alone(house: TestHouse) -> None:
    house.receive(*house.invented.many(3))
    lead = house.invented.lead(50, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_calls").run(seconds=9)
    house.house.seal()
    (lead_id, submission_id, person_id) = house.rows(
        "select lead_id, submission_id, person_id from lead where submission_id = (select submission_id from submission"
        " where event_id = :event)",
        event=lead.event_id,
    )[0]
    (delivery,) = house.rows("select delivery_id, key from delivery where lead_id = :lead limit 1", lead=lead_id)
    found = house.house.logbook.proofs_of(lead_id)
    assert len(found) >= 2, "received and admitted"
    keys = [house.house.log_key.verifier]
    for each in found:
        judged = formats.verify(each.proof, each.leaf, keys=keys)
        assert judged.checkpoint.size > each.index
        with pytest.raises(AuditError):
            formats.verify(each.proof, each.leaf + b" ", keys=keys)
    texts = [each.proof for each in found]
    for word in (submission_id, person_id, delivery[0], delivery[1]):
        assert set(house.house.proof_of(word)) <= set(texts)
        assert house.house.proof_of(word)
    assert house.house.proof_of("nobody") == []


def test_a_leaf_that_names_a_person_alone_is_found_by_them(house: TestHouse) -> None:
    house.admit(house.invented.lead(1))
    (person_id,) = house.rows("select person_id from lead")[0]
    house.house.seal()
    before = len(house.house.proof_of(person_id))
    house.run("delete from delivery")
    house.run("delete from lead")
    house.house.erase(person_id, actor="officer", reason="requested")
    house.house.seal()
    assert len(house.house.proof_of(person_id)) >= 1
    assert before >= 2


@pytest.fixture
def unwitnessed(house: TestHouse) -> TestHouse:
    """A house whose only witness is never there."""
    key = str(invented_key("gone").verifier)
    watched(house, WitnessSettings(name="gone", url="http://127.0.0.1:9", vkey=key))
    house.admit(house.invented.lead(1))
    house.house.seal()
    return house


def test_without_a_quorum_there_is_no_proof_but_for_oneself(unwitnessed: TestHouse) -> None:
    (lead_id,) = unwitnessed.rows("select lead_id from lead")[0]
    with pytest.raises(AuditError) as caught:
        unwitnessed.house.proof_of(lead_id)
    assert caught.value.code == "missing_quorum"
    assert "leadgate log status" in caught.value.message
    alone = unwitnessed.house.logbook.proofs_of(lead_id, alone=True)
    assert alone
    assert not any(each.quorum for each in alone)


def test_a_proof_stands_under_the_newest_checkpoint_that_the_quorum_saw(unwitnessed: TestHouse) -> None:
    """The witness comes for one checkpoint and is gone again: what is later has no proof yet."""
    note = unwitnessed.rows("select tree_size, note from checkpoint order by tree_size desc limit 1")[0]
    moment = int(unwitnessed.clock.now.timestamp())
    signer = invented_key("gone")
    text, _ = notes.parse(note[1])
    line = notes.assemble(text, [signer.sign(text, time=moment)]).removeprefix(f"{text}\n")
    with unwitnessed.transaction() as tx:
        row = Cosigned(tree_size=note[0], witness=signer.verifier.name, line=line, cosigned_at=moment, received_at=moment)
        witness.keep_cosignatures(tx, [row])
    (lead_id,) = unwitnessed.rows("select lead_id from lead")[0]
    later = unwitnessed.invented.lead(60)
    unwitnessed.receive(later)
    unwitnessed.house.seal()
    found = unwitnessed.house.logbook.proofs_of(lead_id)
    assert all(each.quorum for each in found)
    for each in found:
        formats.verify(each.proof, each.leaf, policy=unwitnessed.house.logbook.policy)
    (submission_id,) = unwitnessed.rows("select submission_id from submission where event_id = :event", event=later.event_id)[0]
    with pytest.raises(AuditError):
        unwitnessed.house.proof_of(submission_id)
    with unwitnessed.house.ledger.snapshot() as tx:
        vouched = proofs.vouched(tx, unwitnessed.house.logbook.policy)
    assert vouched is not None
    assert vouched.size == note[0]
