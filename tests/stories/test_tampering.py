"""Somebody with a database client changes what was agreed, sent or recorded: ``leadgate verify`` names each and exits 4.

Each change is made in a copy of one ledger that was well, past the program, with everything its insider could have: the
database, and where it says so the keyring too.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import leaf_hash
from consent.audit.note import SEED_SIZE, SignerKey
from integrations.testing.sandbox import Sandbox
from schemas.personal import Personal
from tests.houses.commands import leadgate, verify
from tests.houses.house import Clock, TestHouse, settings_for, stands

Change = Callable[[sqlite3.Connection, TestHouse], object]


@pytest.fixture(scope="module")
def sound(empty_ledgers: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHouse]:
    """A ledger with leads that were admitted, sent and sealed in two parts."""
    state = tmp_path_factory.mktemp("sound") / "state"
    shutil.copytree(keys, state)
    shutil.copyfile(empty_ledgers, state / "ledger.db")
    with stands() as sandbox:
        house = TestHouse(settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}"), sandbox, clock=Clock())
        for start in (0, 10):
            house.admit(*house.invented.many(10, start=start, flawed=0.2))
            for name in house.settings.destinations:
                house.dispatcher(name).run(seconds=20)
            house.house.seal()
        yield house
        house.close()


@pytest.fixture
def copy(sound: TestHouse, sandbox: Sandbox, tmp_path: Path) -> Iterator[TestHouse]:
    """The same ledger, to be changed."""
    sound.house.ledger.close()  # everything stands in the file now
    state = tmp_path / "state"
    shutil.copytree(sound.settings.state, state)
    house = TestHouse(settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}"), sandbox, clock=sound.clock)
    yield house
    house.close()


def _first(connection: sqlite3.Connection, column: str, table: str = "lead") -> str:
    found: tuple[str] = connection.execute(f"select {column} from {table} order by 1 limit 1").fetchone()  # noqa: S608 - ours
    return found[0]


# -- what somebody does -------------------------------------------------------------------------------------------------------


def _one_digit_of_a_phone(connection: sqlite3.Connection, house: TestHouse) -> None:
    """With the keyring: open, change one digit, seal again under the same key, and write."""
    lead_id, person_id, sealed = connection.execute("select lead_id, person_id, sealed from lead limit 1").fetchone()
    wrapped, version = connection.execute(
        "select wrapped_key, key_version from person where person_id = ?", (person_id,)
    ).fetchone()
    key = house.house.vault.unwrap_person_key(person_id, wrapped, version)
    fields = house.house.vault.open_all(key, lead_id, sealed).reveal()
    phone = fields["phone"]
    fields["phone"] = phone[:-1] + ("1" if phone[-1] != "1" else "2")
    again = house.house.vault.seal_lead(key, lead_id, Personal(fields))
    connection.execute(
        "update lead set sealed = ?, commitment = ? where lead_id = ?", (again.envelope, again.commitment, lead_id)
    )


def _one_byte_of_an_envelope(connection: sqlite3.Connection, _: TestHouse) -> None:
    lead_id, sealed = connection.execute("select lead_id, sealed from lead limit 1").fetchone()
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    connection.execute("update lead set sealed = ? where lead_id = ?", (flipped, lead_id))


def _a_country(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("update lead set country = 'KZ' where lead_id = ?", (_first(connection, "lead_id"),))


def _a_word_outside_the_vocabulary(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("update lead set channel = 'pigeon' where lead_id = ?", (_first(connection, "lead_id"),))


def _a_wider_consent(connection: sqlite3.Connection, _: TestHouse) -> None:
    where = (_first(connection, "consent_id", "consent_record"),)
    connection.execute("update consent_record set purposes = purposes || ' everything' where consent_id = ?", where)


def _an_unreadable_consent(connection: sqlite3.Connection, _: TestHouse) -> None:
    where = (_first(connection, "consent_id", "consent_record"),)
    connection.execute("update consent_record set given_at = 'yesterday' where consent_id = ?", where)


def _a_leaf_removed(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("delete from audit_leaf where leaf_index = 7")


def _a_leaf_removed_and_the_gap_closed(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("delete from audit_leaf where leaf_index = 7")
    connection.execute("update audit_leaf set leaf_index = -leaf_index where leaf_index > 7")
    connection.execute("update audit_leaf set leaf_index = -leaf_index - 1 where leaf_index < 0")


def _two_leaves_exchanged(connection: sqlite3.Connection, _: TestHouse) -> None:
    """Bytes, hashes and all: nothing but the signed root remembers the order."""
    rows = connection.execute("select leaf_index, leaf_hash, body from audit_leaf where leaf_index in (3, 5)").fetchall()
    for (index, _, _), (_, leaf, body) in zip(rows, reversed(rows), strict=True):
        connection.execute("update audit_leaf set leaf_hash = ?, body = ? where leaf_index = ?", (leaf, body, index))


def _a_leaf_rewritten(connection: sqlite3.Connection, _: TestHouse) -> None:
    (body,) = connection.execute("select body from audit_leaf where leaf_index = 4").fetchone()
    changed = body.replace(b"2026-06-01", b"2026-06-02")
    connection.execute("update audit_leaf set body = ? where leaf_index = 4", (changed,))


def _a_leaf_and_its_hash_rewritten(connection: sqlite3.Connection, _: TestHouse) -> None:
    (body,) = connection.execute("select body from audit_leaf where leaf_index = 4").fetchone()
    changed = body.replace(b"2026-06-01", b"2026-06-02")
    connection.execute("update audit_leaf set body = ?, leaf_hash = ? where leaf_index = 4", (changed, leaf_hash(changed)))


def _a_checkpoint_from_another_key(connection: sqlite3.Connection, house: TestHouse) -> None:
    size, root = connection.execute("select tree_size, root from checkpoint order by tree_size desc limit 1").fetchone()
    stranger = SignerKey(name=house.settings.log_origin, seed=b"s" * SEED_SIZE)
    note = checkpoints.sign(size=size, root=root, signers=[stranger]).note
    connection.execute("update checkpoint set note = ? where tree_size = ?", (note, size))


def _a_checkpoint_altered(connection: sqlite3.Connection, _: TestHouse) -> None:
    size, note = connection.execute("select tree_size, note from checkpoint order by tree_size desc limit 1").fetchone()
    origin, _, rest = note.partition("\n")
    connection.execute(
        "update checkpoint set note = ? where tree_size = ?", (f"{origin}\n{size - 1}\n{rest.split(chr(10), 1)[1]}", size)
    )


def _an_accepted_delivery_called_queued(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute(
        "update delivery set state = 'queued', not_before = 0 where delivery_id = ?",
        (_first(connection, "delivery_id", "delivery"),),
    )


def _a_delivery_to_somewhere_else(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute(
        "update delivery set destination = 'elsewhere' where delivery_id = ?", (_first(connection, "delivery_id", "delivery"),)
    )


def _a_delivery_removed(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("delete from delivery where delivery_id = ?", (_first(connection, "delivery_id", "delivery"),))


def _a_lead_removed(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("delete from lead where lead_id = ?", (_first(connection, "lead_id"),))


def _an_envelope_destroyed_without_a_word(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute("update lead set sealed = null where lead_id = ?", (_first(connection, "lead_id"),))


def _a_lead_nobody_admitted(connection: sqlite3.Connection, _: TestHouse) -> None:
    connection.execute(
        "insert into lead select '00000000-0000-7000-8000-000000000001', person_id, submission_id, consent_id, brand, channel,"
        " language, topic, country, field_names, received_at, admitted_at, commitment, sealed, fingerprint from lead limit 1"
    )


#: What somebody does -> the word of the finding, and what its place must name.
CHANGES: dict[str, tuple[Change, str, str]] = {
    "one digit of a phone": (_one_digit_of_a_phone, "lead_changed", "lead "),
    "one byte of an envelope": (_one_byte_of_an_envelope, "lead_changed", "lead "),
    "a country": (_a_country, "lead_changed", "lead "),
    "a word outside the vocabulary": (_a_word_outside_the_vocabulary, "lead_changed", "lead "),
    "a wider consent": (_a_wider_consent, "consent_changed", "consent "),
    "an unreadable consent": (_an_unreadable_consent, "consent_changed", "consent "),
    "a leaf removed": (_a_leaf_removed, "leaf_missing", "leaf 7"),
    "a leaf removed and the gap closed": (_a_leaf_removed_and_the_gap_closed, "leaf_missing", "between leaf"),
    "two leaves exchanged": (_two_leaves_exchanged, "leaf_reordered", "3"),
    "a leaf rewritten": (_a_leaf_rewritten, "leaf_changed", "leaf 4"),
    "a leaf and its hash rewritten": (_a_leaf_and_its_hash_rewritten, "root_mismatch", "between leaf"),
    "a checkpoint from another key": (_a_checkpoint_from_another_key, "checkpoint_foreign_key", "checkpoint of size"),
    "a checkpoint altered": (_a_checkpoint_altered, "checkpoint_bad_signature", "checkpoint of size"),
    "an accepted delivery called queued": (_an_accepted_delivery_called_queued, "delivery_state_differs", "delivery "),
    "a delivery to somewhere else": (_a_delivery_to_somewhere_else, "delivery_off_route", "delivery "),
    "a delivery removed": (_a_delivery_removed, "delivery_missing", "delivery "),
    "a lead removed": (_a_lead_removed, "lead_missing", "lead "),
    "an envelope destroyed without a word": (_an_envelope_destroyed_without_a_word, "lead_missing", "lead "),
    "a lead nobody admitted": (_a_lead_nobody_admitted, "lead_without_leaf", "lead 00000000-0000-7000-8000-000000000001"),
}


#: Those the promise names are asked of a real process; the others of the same verdict without its start.
_SPOKEN = (
    "one digit of a phone",
    "a wider consent",
    "a leaf removed",
    "two leaves exchanged",
    "a checkpoint from another key",
    "an accepted delivery called queued",
)


def test_an_untouched_ledger_verifies(copy: TestHouse) -> None:
    assert verify(copy) == (0, [])


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_is_named(copy: TestHouse, what: str) -> None:
    change, code, place = CHANGES[what]
    with sqlite3.connect(copy.settings.state / "ledger.db") as connection:
        change(connection, copy)
    findings = [(finding.code, finding.place) for finding in copy.house.verify().findings]
    assert any(found == code and place in where for found, where in findings), findings


@pytest.mark.parametrize("what", _SPOKEN)
def test_the_command_names_it_and_exits_four(copy: TestHouse, what: str) -> None:
    change, code, place = CHANGES[what]
    with sqlite3.connect(copy.settings.state / "ledger.db") as connection:
        change(connection, copy)
    said = leadgate(copy, "verify")
    assert said.returncode == 4, said.stderr
    assert code in said.stdout
    assert place in said.stdout


def test_an_auditor_needs_the_folder_and_the_public_key_alone(copy: TestHouse, tmp_path: Path) -> None:
    folder = tmp_path / "for the auditor"
    assert leadgate(copy, "export", str(folder)).returncode == 0
    public = (copy.settings.log_key_path.with_suffix(".pub")).read_text().strip()
    elsewhere = replace(copy.settings, state=tmp_path / "nowhere", ledger_url="sqlite:////nowhere/at/all.db")
    copy.settings = elsewhere
    assert leadgate(copy, "verify", str(folder), "--key", public).returncode == 0
    leaves = folder / "leaves.jsonl"
    leaves.write_bytes(leaves.read_bytes().replace(b"lead.admitted", b"lead.admitteD", 1))
    assert leadgate(copy, "verify", str(folder), "--key", public).returncode == 4
