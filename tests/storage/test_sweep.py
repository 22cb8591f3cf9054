"""What a database keeps of rows that are gone, and how far it gives it up."""

from __future__ import annotations

from pathlib import Path

from leadgate.storage.sweep import sweep
from tests.houses.house import TestHouse


def _holding(folder: Path, secret: bytes) -> set[str]:
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()}


def test_the_bytes_of_a_destroyed_key_leave_the_tables(house: TestHouse, database: str, postgres_folder: Path) -> None:
    house.admit(house.invented.lead(6401, brand="lada"), house.invented.lead(6402, brand="lada"))
    person, wrapped = house.rows("select person_id, wrapped_key from person order by person_id")[0]
    folder = postgres_folder / "data" if database == "postgres" else Path(house.ledger.url.database or "").parent
    house.house.erase(person, actor="officer-1", reason="subject_request")
    assert sweep(house.ledger).rewritten
    if database == "postgres":
        with house.ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("checkpoint")
        # The write-ahead log keeps them until its segment is used again: docs/erasure.md says so.
        assert _holding(folder, bytes(wrapped)) <= {"pg_wal"}
    else:
        assert _holding(folder, bytes(wrapped)) == set()
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(1,)]
    assert sweep(house.ledger).rewritten, "twice is no error"


def test_a_table_that_somebody_reads_is_not_waited_for(house: TestHouse, database: str) -> None:
    house.admit(house.invented.lead(6403, brand="lada"))
    with house.another().ledger.snapshot() as tx:
        tx.rows("select count(*) from person")
        assert sweep(house.ledger).rewritten is (database == "sqlite")
