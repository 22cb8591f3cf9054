"""Whatever a row looks like, it is accepted only if it says so, and nothing of its prose gets through."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integrations.destinations.salesforce.verdicts import row_receipt
from schemas.delivery import DeliveryReceipt
from schemas.vocabulary import Outcome

KEY = "a" * 26
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
ERRORS = st.lists(
    st.fixed_dictionaries({}, optional={"statusCode": JSON, "message": st.text(), "fields": JSON}) | JSON, max_size=2
)
ROWS = JSON | st.fixed_dictionaries({}, optional={"success": JSON, "id": JSON, "created": JSON, "errors": ERRORS | JSON})


def read(row: Any, *, sent: bytes = b"") -> DeliveryReceipt:
    names = {"Email": "email"}
    return row_receipt(
        row,
        key=KEY,
        our_name=lambda name: names.get(name or ""),
        external_id="Leadgate_Id__c",
        deferred=frozenset({"UNABLE_TO_LOCK_ROW"}),
        sent=sent,
    )


@given(row=ROWS)
def test_a_row_is_accepted_only_if_it_says_so(row: Any) -> None:
    receipt = read(row)
    says_so = isinstance(row, dict) and row.get("success") is True
    assert (receipt.outcome is Outcome.ACCEPTED) == says_so
    assert receipt.outcome is not Outcome.REJECTED or receipt.code


@given(prose=st.text(min_size=1))
def test_prose_never_becomes_a_code_or_a_field(prose: str) -> None:
    row = {"success": False, "errors": [{"statusCode": "INVALID_EMAIL_ADDRESS", "message": prose, "fields": [prose]}]}
    receipt = read(row)
    assert (receipt.outcome, receipt.code) == (Outcome.REJECTED, "INVALID_EMAIL_ADDRESS")
    assert receipt.field in (None, "email")


def test_a_code_that_repeats_a_value_is_none() -> None:
    row = {"success": False, "errors": [{"statusCode": "IVANOV", "fields": ["Email"]}]}
    assert read(row, sent=b'{"LastName":"Ivanov"}').code == "unreadable_code"


def test_only_a_race_for_our_own_id_is_tried_again() -> None:
    def told(field: str) -> Outcome:
        return read({"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "fields": [field]}]}).outcome

    assert (told("Leadgate_Id__c"), told("Email")) == (Outcome.DEFERRED, Outcome.REJECTED)
