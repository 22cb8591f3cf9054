"""pymerkle at the log's tasks: argv is a database file and a number of leaves; prints one line of JSON with rates.

Its SQLite tree as it comes (a transaction an append, fsync on), its tree in memory for proofs and for hashing everything anew.
"""

from __future__ import annotations

import json
import random
import sys
import time

from pymerkle import InmemoryTree, SqliteTree, verify_inclusion

SINGLE, BULK, PROOFS = 2_000, 50_000, 2_000
#: Proofs are made from memory of at most this many leaves: its tree is one object a node.
IN_MEMORY = 1_000_000


def main() -> None:
    """Measure."""
    path, count = sys.argv[1], min(int(sys.argv[2]), IN_MEMORY)
    rates = {}
    stored = SqliteTree(path)
    rates["append_single"] = SINGLE / timed(lambda: [stored.append_entry(leaf(number)) for number in range(SINGLE)])
    bulk = [leaf(number) for number in range(BULK)]
    rates["append_bulk"] = BULK / timed(lambda: stored.append_entries(bulk))
    stored.close()
    entries = [leaf(number) for number in range(count)]
    tree = InmemoryTree()
    rates["rebuild"] = count / timed(lambda: (tree.append_entries(entries), tree.get_state()))
    chance = random.Random(1)
    indexes = [chance.randint(1, count) for _ in range(PROOFS)]
    proofs = []
    rates["prove"] = PROOFS / timed(lambda: proofs.extend(tree.prove_inclusion(index) for index in indexes))
    root = tree.get_state()
    leaves = [tree.get_leaf(index) for index in indexes]
    rates["verify"] = PROOFS / timed(lambda: [verify_inclusion(*one) for one in zip(leaves, [root] * PROOFS, proofs)])  # noqa: B905
    print(json.dumps(rates))


def leaf(number: int) -> bytes:
    """About as large as one of ours."""
    return b'{"number":"%032x","padding":"%s"}' % (number, b"x" * 200)


def timed(work: object) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
