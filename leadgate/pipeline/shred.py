"""Destroys nobody whom the shred list does not name yet, and works on no ledger that has not carried the list out.

The order, and what a crash at each point leaves behind:

1. *intended*: a row says who is to be destroyed and why, in a transaction of its own. A crash after it: nothing else
   happened; whoever destroys next completes it.
2. *listed*: a line of the shred list, forced to disk. A crash after it: the list is a step ahead of the ledger, and the row
   says that this very ledger is at it. That is no restored backup, nobody is alarmed, and whoever destroys next completes it.
3. *done*: key, digests and sealed bytes go, the ledger counts the line, and the leaf says so, in one transaction.

The other order, commit first and list afterwards, would leave after a crash a person who is destroyed here and on no list: a
backup would bring them back and nothing would know. So the line comes first. Between 2. and 3. the lock on people is held, so
that lines stand in the order in which they are carried out, and a ledger that counts n lines has destroyed everybody in them.

A ledger that counts fewer lines than there are, without such rows, is an older one: it holds people who were destroyed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from consent.shredding import Shredded, ShredListKey
from leadgate.storage import destruction
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.shred_list import ShredList, missing, truncated
from schemas.errors import ConfigurationError

#: Lines a ledger may be ahead of without being taken for a restored one: what one transaction destroys.
MOST_AT_ONCE = 1_000


class Shredder:
    """The list and the ledger that carries it out."""

    def __init__(self, shred_list: ShredList, key: ShredListKey) -> None:
        self.list = shred_list
        self.key = key

    def ahead(self, tx: Transaction) -> list[Shredded]:
        """Lines that this ledger was about to carry out when a process died; the caller holds the lock on people.

        Raises ConfigurationError ``shred_list_behind`` if the ledger was restored beneath us.
        """
        known = destruction.carried_out(tx) or 0
        length = _length(self.list, known)
        if length - known > MOST_AT_ONCE:
            raise behind(length - known)
        lines = self.list.since(known) if length > known else []
        _require_intended(tx, lines)
        return lines

    def write(self, tx: Transaction, entries: Sequence[tuple[str, str]], *, at: datetime) -> int:
        """Add lines and force them to disk; answer how many there are. What was ahead is the caller's to carry out as well."""
        return self.list.append(self.key, entries, at=at, known=destruction.carried_out(tx) or 0)


def require_replayed(ledger: Ledger, shred_list: ShredList) -> None:
    """Refuse to work on a ledger that is behind the shred list, or on a list that is behind the ledger.

    It costs one row and the size of a file, unless something is wrong.

    The ledger is read first: a line is written before it is counted, so a list read afterwards is never shorter by right.
    """
    with ledger.snapshot() as tx:
        known = destruction.carried_out(tx)
    length = _length(shred_list, known or 0)
    if length == (known or 0):
        return
    with ledger.snapshot() as tx:  # somebody may be at it right now: what they are about to do was committed before the line
        known = destruction.carried_out(tx) or 0
        if length - known > MOST_AT_ONCE:
            raise behind(length - known)
        _require_intended(tx, shred_list.since(known)[: max(0, length - known)])


def behind(lines: int) -> ConfigurationError:
    """The ledger was restored."""
    return ConfigurationError(
        "shred_list_behind",
        f"this ledger comes from a backup: it may hold people who were destroyed since (lines: {lines}). Nothing works on it"
        " until 'leadgate restore replay' has destroyed them again",
        field="LEADGATE_DATABASE_URL",
    )


def _require_intended(tx: Transaction, lines: Sequence[Shredded]) -> None:
    people = list(dict.fromkeys(line.person_id for line in lines))
    if len(destruction.intended_of(tx, people)) < len(people):
        raise behind(len(lines))


def _length(shred_list: ShredList, known: int) -> int:
    length = shred_list.length()
    if length is None:
        if known:
            raise missing()
        return 0
    if length < known:
        raise truncated()
    return length
