"""Whatever single thing somebody with write access changes, anywhere, verification does not pass."""

from __future__ import annotations

import tempfile
from copy import copy
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.merkle import leaf_hash
from tests.consent.audit.synthetic import World, busy_world, digest, ident

CLEAN = busy_world(leads=20)


def twin() -> World:
    world = copy(CLEAN)
    world.leaves, world.checkpoints = list(CLEAN.leaves), list(CLEAN.checkpoints)
    world.leads, world.deliveries, world.consents = dict(CLEAN.leads), dict(CLEAN.deliveries), dict(CLEAN.consents)
    return world


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def change_leaf(data: st.DataObject, world: World) -> None:
    at = data.draw(st.integers(0, len(world.leaves) - 1))
    row = world.leaves[at]
    what = data.draw(st.sampled_from(["bytes", "bytes and hash", "hash", "index", "remove", "remove, renumber", "double"]))
    if what.startswith("bytes"):
        body = flipped(row.leaf, data.draw(st.integers(0, len(row.leaf) * 8 - 1)))
        world.leaves[at] = replace(row, leaf=body, hash=leaf_hash(body) if what.endswith("hash") else row.hash)
    elif what == "hash":
        world.leaves[at] = replace(row, hash=flipped(row.hash, data.draw(st.integers(0, 255))))
    elif what == "index":
        other = data.draw(st.integers(0, 2 * len(world.leaves)).filter(lambda index: index != at))
        world.leaves[at] = replace(row, index=other)
    elif what == "double":
        world.leaves.insert(data.draw(st.integers(0, len(world.leaves) - 1)), row)
        world.renumber()
    else:
        del world.leaves[at]
        if what.endswith("renumber"):
            world.renumber()


def move_leaves(data: st.DataObject, world: World) -> None:
    a, b = data.draw(st.lists(st.integers(0, len(world.leaves) - 1), min_size=2, max_size=2, unique=True))
    if data.draw(st.booleans()):
        world.leaves[a], world.leaves[b] = world.leaves[b], world.leaves[a]
    else:
        world.leaves.insert(b, world.leaves.pop(a))
    if data.draw(st.booleans()):
        world.renumber()


def change_checkpoint(data: st.DataObject, world: World) -> None:
    at = data.draw(st.integers(0, len(world.checkpoints) - 1))
    raw = world.checkpoints[at].note.encode()
    cut = data.draw(st.booleans())
    changed = (
        raw[: data.draw(st.integers(0, len(raw) - 1))] if cut else flipped(raw, data.draw(st.integers(0, len(raw) * 8 - 1)))
    )
    world.checkpoints[at] = replace(world.checkpoints[at], note=changed.decode("utf-8", "replace"))


def change_record(data: st.DataObject, world: World) -> None:
    number = data.draw(st.integers(0, 19).filter(lambda each: each != 4))  # 4 was erased: its records bind nobody any more
    lead, sent, consent = ident(1, number), ident(5, number), ident(3, number)
    what = data.draw(st.sampled_from(["sealed", "absent", "column", "lead", "state", "whose", "where", "sent", "consent"]))
    if what == "sealed":
        world.leads[lead] = replace(world.leads[lead], sealed_sha256=digest("other"))
    elif what == "absent":
        world.leads[lead] = replace(world.leads[lead], sealed_sha256=None)
    elif what == "column":
        world.leads[lead] = replace(world.leads[lead], record_sha256=digest("other"))
    elif what == "lead":
        del world.leads[lead]
    elif what == "state":
        others = {"queued", "claimed", "accepted", "rejected", "dead", "suppressed"} - {world.deliveries[sent].state}
        world.deliveries[sent] = replace(world.deliveries[sent], state=data.draw(st.sampled_from(sorted(others))))
    elif what == "whose":
        world.deliveries[sent] = replace(world.deliveries[sent], lead_id=ident(1, (number + 1) % 20))
    elif what == "where":
        world.deliveries[sent] = replace(world.deliveries[sent], destination="broker")
    elif what == "sent":
        del world.deliveries[sent]
    else:
        world.consents[consent] = replace(world.consents[consent], consent_sha256=digest("other"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_single_change_passes(data: st.DataObject) -> None:
    world = twin()
    tamper = data.draw(st.sampled_from([change_leaf, move_leaves, change_checkpoint, change_record]))
    tamper(data, world)
    with tempfile.TemporaryDirectory() as folder:
        report = world.verify(Path(folder))
    assert not report.ok
    assert all(finding.place and finding.problem and finding.advice for finding in report.findings)
