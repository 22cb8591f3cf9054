"""What is sealed opens for its row, its key and the named fields; after the key is gone, for nobody. No error holds a value."""

from __future__ import annotations

import base64
import hmac
import json
import os
import pickle
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent.envelope import head, names, seal
from consent.keys.keyring import keyring_from_json, new_keyring
from consent.vault import SALT_BYTES, Vault
from schemas.errors import VaultError
from schemas.personal import Personal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PERSON, OTHER_PERSON = "0195a000-0000-7000-8000-000000000001", "0195a000-0000-7000-8000-000000000002"
LEAD, OTHER_LEAD = "0195a000-0000-7000-8000-00000000000a", "0195a000-0000-7000-8000-00000000000b"
CANARY = "Канарейкина"
FIELDS = {"family_name": CANARY, "phone": "+79000000042", "text": "перезвоните 🌸\u0000", "email": "canary@example.org"}
SECRETS = (CANARY, "79000000042", "canary@example.org", "перезвоните")


KEYRING = new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom)
VAULT = Vault(KEYRING, "acme")


def refusal(call: Callable[[], object]) -> str:
    """The code of the VaultError; fails if anything reachable from it holds a value."""
    with pytest.raises(VaultError) as refused:
        call()
    said, error = "", refused.value
    chain: BaseException | None = error
    while chain is not None:
        said += f"{chain!r} {chain} {chain.args!r} {getattr(chain, 'object', '')!r}"
        said += "".join(traceback.format_exception(chain))
        chain = chain.__cause__ or chain.__context__
    for secret in SECRETS:
        assert secret not in said
    return error.code


# -- leads ----------------------------------------------------------------------------------------------------------------


def test_only_the_named_fields_come_out() -> None:
    key = VAULT.new_person_key(PERSON)
    sealed = VAULT.seal_lead(key, LEAD, Personal(FIELDS))
    opened = VAULT.open_lead(key, LEAD, sealed.envelope, ("phone", "family_name", "city"))
    assert opened.reveal() == {"phone": FIELDS["phone"], "family_name": CANARY}
    assert VAULT.open_lead(key, LEAD, sealed.envelope, ()).reveal() == {}
    assert VAULT.open_all(key, LEAD, sealed.envelope).reveal() == FIELDS


@given(st.dictionaries(st.text(st.characters(codec="ascii"), max_size=12), st.text(max_size=40), max_size=8))
def test_any_text_comes_back_as_it_was(fields: dict[str, str]) -> None:
    key = VAULT.new_person_key(PERSON)
    sealed = VAULT.seal_lead(key, LEAD, Personal(fields))
    assert VAULT.open_all(key, LEAD, sealed.envelope).reveal() == fields
    assert VAULT.check_commitment(key, LEAD, sealed.envelope, sealed.commitment)


@given(st.dictionaries(st.text(st.characters(codec="ascii"), max_size=12), st.text(max_size=40), max_size=8))
def test_the_commitment_is_over_salt_and_canonical_fields(fields: dict[str, str]) -> None:
    drawn: list[bytes] = []

    def remembering(length: int) -> bytes:
        drawn.append(sha256(str((len(drawn), length)).encode()).digest() * 2)
        return drawn[-1][:length]

    vault = Vault(KEYRING, "acme", random_bytes=remembering)
    key = vault.new_person_key(PERSON)
    sealed = vault.seal_lead(key, LEAD, Personal(fields))
    # RFC 8785 by an independent encoder: names sorted, no spaces, raw UTF-8, short escapes.
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    salt = drawn[-1][:SALT_BYTES]
    assert sealed.commitment == sha256(b"leadgate/v1/lead-commitment\x00" + salt + canonical).hexdigest()
    assert sealed.envelope_sha256 == sha256(sealed.envelope).hexdigest()


def test_the_same_fields_twice_look_different() -> None:
    key = VAULT.new_person_key(PERSON)
    one, two = (VAULT.seal_lead(key, LEAD, Personal(FIELDS)) for _ in range(2))
    assert one.envelope != two.envelope
    assert one.commitment != two.commitment
    assert not VAULT.check_commitment(key, LEAD, one.envelope, two.commitment)


def test_a_moved_envelope_does_not_open() -> None:
    key, other = VAULT.new_person_keys([PERSON, OTHER_PERSON])
    sealed = VAULT.seal_lead(key, LEAD, Personal(FIELDS)).envelope
    same_key_other_person = VAULT.unwrap_person_key(OTHER_PERSON, key.wrapped, key.key_version)
    assert refusal(lambda: VAULT.open_all(key, OTHER_LEAD, sealed)) == "wrong_row"
    assert refusal(lambda: VAULT.open_all(same_key_other_person, LEAD, sealed)) == "wrong_row"
    assert refusal(lambda: VAULT.open_all(other, LEAD, sealed)) == "wrong_key"
    assert refusal(lambda: VAULT.check_commitment(other, LEAD, sealed, "")) == "wrong_key"


def test_no_flipped_bit_opens() -> None:
    key = VAULT.new_person_key(PERSON)
    sealed = VAULT.seal_lead(key, LEAD, Personal(FIELDS)).envelope
    for at in range(0, len(sealed) * 8, 5):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        refusal(lambda changed=changed: VAULT.open_all(key, LEAD, bytes(changed)))  # type: ignore[misc]


@pytest.mark.parametrize("bad", ["Канарейкина \ud800", 42, None, b"bytes", {"a": CANARY}, object()])
def test_what_is_no_text_is_refused_without_being_quoted(bad: object) -> None:
    key = VAULT.new_person_key(PERSON)
    fields: Personal[Mapping[str, str]] = Personal({"family_name": bad})  # type: ignore[dict-item]
    assert refusal(lambda: VAULT.seal_lead(key, LEAD, fields)) == "not_text"


def test_a_row_without_an_id_is_refused() -> None:
    key = VAULT.new_person_key(PERSON)
    assert refusal(lambda: VAULT.seal_lead(key, "", Personal(FIELDS))) == "context_missing"
    assert refusal(lambda: VAULT.seal_lead(VAULT.new_person_key(""), LEAD, Personal(FIELDS))) == "context_missing"
    assert refusal(lambda: VAULT.seal_submission("", Personal(b"x"))) == "context_missing"


def test_another_tenants_provider_is_refused() -> None:
    assert refusal(lambda: Vault(KEYRING, "other")) == "wrong_tenant"
    renamed = keyring_from_json(KEYRING.to_json().replace(b'"acme"', b'"other"'), where="keyring")
    stolen = VAULT.new_person_key(PERSON)
    assert refusal(lambda: Vault(renamed, "other").unwrap_person_key(PERSON, stolen.wrapped, 1)) == "not_authentic"


_FIELD = st.text(max_size=5) | st.text(st.characters(max_codepoint=127), max_size=5)


@given(st.dictionaries(_FIELD, st.text(max_size=5), max_size=8), st.frozensets(_FIELD, max_size=8))
@example({"": "x"}, frozenset({"à"}))
def test_what_is_wanted_is_taken_out_of_all_there_is(fields: dict[str, str], others: frozenset[str]) -> None:
    key = VAULT.new_person_key(PERSON)
    try:
        envelope = VAULT.seal_lead(key, LEAD, Personal(fields)).envelope
        "".join(others).encode()
    except (VaultError, UnicodeEncodeError):
        return
    assert VAULT.open_all(key, LEAD, envelope).reveal() == fields
    for wanted in (others, [*others, *list(fields)[::2]], fields.keys(), ()):
        expected = {name: fields[name] for name in wanted if name in fields}
        assert VAULT.open_lead(key, LEAD, envelope, wanted).reveal() == expected


def test_a_field_that_is_no_text_is_refused_and_one_nobody_wants_is_passed_over() -> None:
    key = VAULT.new_person_key(PERSON)
    row = names("acme", "leads", "fields", PERSON, LEAD)
    foreign = bytes(SALT_BYTES) + b'{"phone": "+79000000042", "text": 1}'
    envelope = seal(key.dek, head(1, key.key_id), bytes(12), foreign, row)
    assert refusal(lambda: VAULT.open_lead(key, LEAD, envelope, {"phone", "text"})) == "not_a_document"
    assert VAULT.open_lead(key, LEAD, envelope, {"phone"}).reveal() == {"phone": "+79000000042"}


def test_what_is_authentic_but_no_document_is_refused_without_being_quoted() -> None:
    key = VAULT.new_person_key(PERSON)
    row = names("acme", "leads", "fields", PERSON, LEAD)
    for foreign in ('{"family_name": 1}', f'["{CANARY}"]', f'{{"{CANARY}": {CANARY}', ""):
        envelope = seal(key.dek, head(1, key.key_id), bytes(12), bytes(SALT_BYTES) + foreign.encode(), row)
        assert refusal(lambda envelope=envelope: VAULT.open_all(key, LEAD, envelope)) == "not_a_document"  # type: ignore[misc]


# -- erasure --------------------------------------------------------------------------------------------------------------


def test_after_the_wrapped_key_is_deleted_nothing_opens() -> None:
    """All that is stored is known, the keyring too; only the wrapped key is gone."""
    key = VAULT.new_person_key(PERSON)
    sealed = VAULT.seal_lead(key, LEAD, Personal(FIELDS))
    for gone in (None, b""):
        assert refusal(lambda gone=gone: VAULT.unwrap_person_key(PERSON, gone, 1)) == "key_destroyed"  # type: ignore[misc]
    # Whatever other keys there are, none opens it; and the commitment cannot be tried without the salt.
    for other in VAULT.new_person_keys([PERSON, OTHER_PERSON]):
        assert refusal(lambda other=other: VAULT.open_all(other, LEAD, sealed.envelope)) == "wrong_key"  # type: ignore[misc]
    stored = sealed.envelope + sealed.commitment.encode() + sealed.envelope_sha256.encode()
    for secret in SECRETS:
        raw = secret.encode()
        for form in (raw, raw.hex().encode(), base64.b64encode(raw), sha256(raw).digest(), sha256(raw).hexdigest().encode()):
            assert form not in stored
    canonical = json.dumps(FIELDS, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert sealed.commitment != sha256(b"leadgate/v1/lead-commitment\x00" + canonical).hexdigest()


def test_a_digest_of_what_was_sent_is_bound_to_the_person() -> None:
    sent = sha256(f"{CANARY} +79000000042".encode()).hexdigest()
    key = VAULT.new_person_key(PERSON)
    bound = VAULT.bind_digest(key, sent)
    assert VAULT.bind_digest(VAULT.unwrap_person_key(PERSON, key.wrapped, key.key_version), sent) == bound, (
        "it can be shown again"
    )
    assert VAULT.bind_digest(key, sha256(b"another record").hexdigest()) != bound
    assert VAULT.bind_digest(VAULT.new_person_key(PERSON), sent) != bound, (
        "without the key a right guess looks like a wrong one"
    )
    assert len(bound) == len(bytes.fromhex(bound)) * 2 == 64
    # NIST SP 800-108r1, 4.1, one block: counter, label, separator, length.
    context = b"\x00\x00\x00\x01leadgate/v1/sent-record\x00" + (256).to_bytes(4, "big")
    assert hmac.digest(hmac.digest(key.dek, context, "sha256"), sent.encode(), "sha256").hex() == bound


def test_a_submission_opens_until_its_key_is_deleted() -> None:
    sealed = VAULT.seal_submission(LEAD, Personal(CANARY.encode()))
    assert VAULT.open_submission(LEAD, sealed.wrapped_key, sealed.key_version, sealed.envelope).reveal() == CANARY.encode()
    other = VAULT.seal_submission(OTHER_LEAD, Personal(b""))
    assert VAULT.open_submission(OTHER_LEAD, other.wrapped_key, other.key_version, other.envelope).reveal() == b""
    opening = VAULT.open_submission
    assert refusal(lambda: opening(LEAD, None, 1, sealed.envelope)) == "key_destroyed"
    assert refusal(lambda: opening(LEAD, other.wrapped_key, 1, sealed.envelope)) == "wrong_key"
    assert refusal(lambda: opening(OTHER_LEAD, sealed.wrapped_key, 1, sealed.envelope)) == "wrong_row"
    assert refusal(lambda: opening(LEAD, sealed.wrapped_key, 2, sealed.envelope)) == "key_version_mismatch"


def test_submissions_open_together_as_they_do_alone_and_one_broken_one_costs_itself() -> None:
    ids = [f"0195a000-0000-7000-8000-{number:012}" for number in range(9)]
    sealed = VAULT.seal_submissions([(each, Personal(f"{CANARY} {each}".encode())) for each in ids])
    rows = [(each, one.wrapped_key, one.key_version, one.envelope) for each, one in zip(ids, sealed, strict=True)]
    broken: list[tuple[str, bytes | None, int, bytes]] = [
        (ids[0], None, 1, rows[0][3]),
        (ids[0], b"", 1, rows[0][3]),
        (ids[0], rows[1][1], 1, rows[0][3]),
        (ids[1], rows[0][1], 1, rows[0][3]),
        (ids[0], rows[0][1], 2, rows[0][3]),
        (ids[0], rows[0][1][:-1] + bytes([rows[0][1][-1] ^ 1]), 1, rows[0][3]),
        (ids[0], rows[0][1], 1, rows[0][3][:-1]),
        (ids[0], rows[0][1], 1, b"?"),
    ]
    mixed = [each for pair in zip(rows, broken, strict=False) for each in pair]
    for one, body in zip(mixed, VAULT.open_submissions(mixed), strict=True):
        if one in rows:
            assert body == VAULT.open_submission(*one)
        else:
            assert isinstance(body, VaultError)
            assert refusal(lambda one=one: VAULT.open_submission(*one)) == body.code  # type: ignore[misc]
            assert body.__traceback__ is None
    assert VAULT.open_submissions([]) == []


def test_a_submission_is_no_lead() -> None:
    """A wrapped key moved from one table to the other opens nothing there."""
    submission = VAULT.seal_submission(LEAD, Personal(b"{}"))
    key = VAULT.unwrap_person_key(PERSON, submission.wrapped_key, submission.key_version)
    assert refusal(lambda: VAULT.open_all(key, LEAD, submission.envelope)) == "wrong_row"


# -- rotation -------------------------------------------------------------------------------------------------------------


def test_rewrap_is_resumable_and_leaves_the_envelopes() -> None:
    key = VAULT.new_person_key(PERSON)
    sealed = VAULT.seal_lead(key, LEAD, Personal(FIELDS))
    submission = VAULT.seal_submission(LEAD, Personal(b"body"))
    rotated = KEYRING.with_new_version(now=NOW, random_bytes=lambda n: sha256(b"second").digest()[:n])
    vault = Vault(rotated, "acme")
    wrapped, version = vault.rewrap(key.wrapped, key.key_version)
    assert version == 2
    assert vault.rewrap(wrapped, version) == (wrapped, version)
    inline, inline_version = vault.rewrap(submission.wrapped_key, submission.key_version)
    only_new = Vault(rotated.without_version(1), "acme")
    again = only_new.unwrap_person_key(PERSON, wrapped, version)
    assert again.dek == key.dek
    assert only_new.open_all(again, LEAD, sealed.envelope).reveal() == FIELDS
    assert only_new.open_submission(LEAD, inline, inline_version, submission.envelope).reveal() == b"body"
    assert refusal(lambda: only_new.unwrap_person_key(PERSON, key.wrapped, 1)) == "key_version_missing"
    assert refusal(lambda: vault.rewrap(b"", 1)) == "key_destroyed"
    waiting = KEYRING.with_new_version(now=NOW, random_bytes=lambda n: sha256(b"second").digest()[:n], announce=True)
    assert Vault(waiting, "acme").rewrap(wrapped, version) == (wrapped, version)
    # An envelope sealed after the re-wrap names the new version; one key opens both.
    later = vault.seal_lead(again, OTHER_LEAD, Personal(FIELDS))
    assert only_new.open_all(again, OTHER_LEAD, later.envelope).reveal() == FIELDS


def test_keys_do_not_show_or_pickle_themselves() -> None:
    key = VAULT.new_person_key(PERSON)
    said = f"{key!r} {key}"
    for form in (repr(key.dek), key.dek.hex(), base64.b64encode(key.dek).decode(), key.wrapped.hex(), repr(key.wrapped)):
        assert form not in said
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
    submission = VAULT.seal_submission(LEAD, Personal(b"x"))
    assert repr(submission.wrapped_key) not in repr(submission)


def test_keys_are_never_the_same_twice() -> None:
    keys = [*VAULT.new_person_keys([PERSON] * 50), *(VAULT.new_person_key(PERSON) for _ in range(50))]
    assert len({key.dek for key in keys}) == len({key.key_id for key in keys}) == len({key.wrapped for key in keys}) == 100
    assert VAULT.new_person_keys([]) == []


def test_a_batch_draws_its_randomness_in_blocks_and_gives_no_byte_twice() -> None:
    drawn: list[bytes] = []

    def remembering(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    vault = Vault(KEYRING, "acme", random_bytes=remembering).for_one_batch()
    keys = [vault.new_person_key(f"person-{number}") for number in range(500)]
    sealed = [vault.seal_lead(key, "lead-1", Personal({"city": "Nowhere"})) for key in keys]
    assert len({key.dek for key in keys} | {key.key_id for key in keys}) == 1000
    assert len({each.envelope[21:33] for each in sealed}) == 500, "nonces"
    assert len({each.commitment for each in sealed}) == 500, "salts"
    assert len(drawn) < 10
    assert vault.open_all(keys[0], "lead-1", sealed[0].envelope) == Personal({"city": "Nowhere"})
