"""Refuses to write under keys that a rotation has left behind. One small question to the ledger in each writing transaction.

Why lookups cannot fail and keys cannot be lost while keys rotate, in the order of the steps:

1. A new version is announced in the ledger by a transaction that holds the people's lock. Whoever writes about people asks,
   under the same lock, whether the ledger knows a version that they do not; so from the announcement on everybody writes
   indexes under it too, and who does not know it reads the keyring again before anything is decided.
2. Only then is it promoted, and only those who know it as the current one leave the older version out of what they write.
3. A version is dropped in the ledger, under the same lock and with nobody storing submissions, when no row hangs on it; whoever
   wrapped a key under it before, and has not stored it yet, learns so here and wraps it again. Its root goes afterwards.
"""

from __future__ import annotations

from consent.blind_index import BlindIndex
from consent.keys.provider import KeyProvider
from leadgate.storage import rotation
from leadgate.storage.engine import BehindError, Ledger, Transaction
from leadgate.storage.rotation import KeyStanding
from schemas.errors import ConfigurationError


class LeftBehindError(Exception):
    """What was wrapped hangs on a version that was dropped meanwhile: read the keys again and wrap it anew."""


def require(tx: Transaction, index: BlindIndex) -> None:
    """Ask, under the people's lock, whether ``index`` knows what the ledger knows. Raises BehindError, after which it does."""
    standing = rotation.standing(tx)
    if _behind(index, standing):
        raise BehindError(lambda: _catch_up(index, standing))


def catch_up(ledger: Ledger, index: BlindIndex) -> None:
    """The same for whoever only looks people up."""
    with ledger.snapshot() as tx:
        standing = rotation.standing(tx)
    if _behind(index, standing):
        _catch_up(index, standing)


def require_open(tx: Transaction, version: int) -> None:
    """Ask whether what was wrapped under ``version``, and stored in this transaction, can still be opened."""
    standing = rotation.standing(tx)
    if standing is not None and version < standing.oldest:
        raise LeftBehindError


def refresh_beyond(keys: KeyProvider, version: int) -> None:
    """Read the keys again. Raises ConfigurationError if they still wrap under ``version``."""
    keys.refresh()
    if keys.current_version <= version:
        raise _stale(version)


def _behind(index: BlindIndex, standing: KeyStanding | None) -> bool:
    return standing is not None and (max(index.versions) < standing.newest or index.versions[0] < standing.current)


def _catch_up(index: BlindIndex, standing: KeyStanding | None) -> None:
    index.refresh()
    if _behind(index, standing):  # the next try would find the same
        raise _stale(index.versions[0])


def _stale(version: int) -> ConfigurationError:
    return ConfigurationError(
        "keyring_stale",
        f"the ledger was rotated beyond version {version} of this keyring; bring the newer keyring here, or restore it",
        field="keyring",
    )
