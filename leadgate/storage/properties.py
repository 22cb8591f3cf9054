"""Facts about this very ledger. A fact is written once and never changed: whoever comes later compares."""

from __future__ import annotations

from leadgate.storage.engine import Transaction

#: ``consent.keys.provider.keyring_identity`` of the keyring that seals what stands here.
KEYRING = "keyring"


def keep(tx: Transaction, name: str, value: str) -> str:
    """Write the fact if nobody has yet; answer what stands."""
    tx.run(
        "insert into ledger_property (name, value) values (:name, :value) on conflict (name) do nothing", name=name, value=value
    )
    return str(tx.rows("select value from ledger_property where name = :name", name=name)[0][0])


def read(tx: Transaction, name: str) -> str | None:
    """The fact, or None if nobody wrote it."""
    rows = tx.rows("select value from ledger_property where name = :name", name=name)
    return str(rows[0][0]) if rows else None
