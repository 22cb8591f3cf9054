"""A pseudonym is the documented construction, the same at every attempt, and another at every destination."""

from __future__ import annotations

import base64
import hmac
import os
import re
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st

from consent.keys.keyring import keyring_from_json, new_keyring
from consent.keys.provider import STABLE_VERSION
from consent.pseudonyms import Pseudonyms
from schemas.errors import VaultError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYRING = new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom)
PSEUDONYMS = Pseudonyms(KEYRING, "acme")
LEAD = "0195a000-0000-7000-8000-00000000000a"
CRM = PSEUDONYMS.for_destination("crm")


def test_hmac_is_that_of_rfc_4231_case_1() -> None:
    mac = HMAC(bytes.fromhex("0b" * 20), SHA256())
    mac.update(b"Hi There")
    assert mac.finalize().hex() == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"


@given(st.text(min_size=1, max_size=60, alphabet=st.characters(exclude_categories=["Cs"])))
def test_it_is_base32_of_the_mac_cut_to_26_characters(lead_id: str) -> None:
    key = KEYRING.derive("leadgate/v1|acme|leads|lead_ref|crm", 32, STABLE_VERSION)
    expected = base64.b32encode(hmac.digest(key, lead_id.encode(), "sha256")).decode().lower()[:26]
    assert CRM(lead_id) == expected
    assert re.fullmatch(r"[a-z2-7]{26}", expected)


def test_it_is_the_same_after_a_restart_and_a_rotation() -> None:
    again = keyring_from_json(KEYRING.to_json(), where="keyring")
    rotated = again.with_new_version(now=NOW, random_bytes=os.urandom).without_version(1)
    for keyring in (again, rotated):
        assert Pseudonyms(keyring, "acme").for_destination("crm")(LEAD) == CRM(LEAD)


def test_destinations_tenants_and_leads_share_none() -> None:
    other_keyring = new_keyring(tenant="other", now=NOW, random_bytes=os.urandom)
    functions = [
        CRM,
        PSEUDONYMS.for_destination("crm2"),
        PSEUDONYMS.for_destination("call-center"),
        Pseudonyms(other_keyring, "other").for_destination("crm"),
    ]
    names = {function(f"{LEAD[:-4]}{number:04x}") for function in functions for number in range(500)}
    assert len(names) == 2000


def test_a_shorter_one_is_the_beginning_of_the_longer() -> None:
    for length in range(20, 27):
        assert PSEUDONYMS.for_destination("crm", key_length=length)(LEAD) == CRM(LEAD)[:length]
    for length in (0, 19, 27):
        with pytest.raises(VaultError, match="pseudonym_length"):
            PSEUDONYMS.for_destination("crm", key_length=length)


def test_a_missing_context_is_refused() -> None:
    for destination in ("", "a|b"):
        with pytest.raises(VaultError, match="context_missing"):
            PSEUDONYMS.for_destination(destination)
    with pytest.raises(VaultError, match="context_missing"):
        CRM("")
    with pytest.raises(VaultError, match="wrong_tenant"):
        Pseudonyms(KEYRING, "other")
