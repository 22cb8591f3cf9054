"""An answer in our order is read in one pass; it says what it would say in another order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.contract.manifest import Endpoint
from integrations.declarative.rest import RestDestination
from integrations.declarative.rest_answers import Sent, read_receipts
from integrations.declarative.rest_plan import dig, getter
from integrations.testing import invented
from schemas.delivery import DeliveryReceipt
from schemas.errors import UncertainError
from schemas.rest_schema import RecordMeaning
from schemas.vocabulary import Outcome
from tests.integrations.declarative.test_rest import build

OUTCOMES = {
    "made": "created",
    "kept": "updated",
    "ok": "accepted",
    "bad": "rejected",
    "later": "deferred",
    "who knows": "uncertain",
    "true": "accepted",
    "7": "rejected",
}
RESULTS = {"at": "results", "key": "id", "status": "s", "code": "e.c", "reference": "ref", "field": "e.f"}


def _destination(results: Mapping[str, str]) -> RestDestination:
    endpoint = Endpoint(
        destination="vendor",
        base_url="https://vendor.example.org",
        hosts=frozenset({"vendor.example.org"}),
        login=None,
        secret=None,
        options={},
    )
    return build(
        {
            "transport.operations.deliver.results": results,
            "transport.operations.deliver.outcomes": OUTCOMES if "status" in results else {},
            "transport.codes": {"LOCKED": "deferred", "TWICE": "updated"},
        },
        endpoint,
    )


WITH_STATUS = _destination(RESULTS)
WITHOUT_STATUS = _destination({name: path for name, path in RESULTS.items() if name != "status"})
KEYS = [invented.key(number) for number in range(3)]
SENT = [Sent(key, b'{"id":"%b","phone":"+79000000001","name":"LOCKED"}' % key.encode(), "ab" * 32) for key in KEYS]

WORDS = st.one_of(
    st.sampled_from([*OUTCOMES, "gone", "LOCKED", "TWICE", "E1", "not a code", "", "+79000000001"]), st.text(max_size=3)
)
ANYTHING = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(0, 9), st.floats(allow_nan=False), st.lists(WORDS, max_size=1)
)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "s": ANYTHING,
        "ref": ANYTHING,
        "e": st.one_of(
            ANYTHING,
            st.fixed_dictionaries({}, optional={"c": ANYTHING, "f": st.sampled_from(["phone", "contact.name", "x", 1])}),
        ),
    },
)


def _read(destination: RestDestination, *results: Any) -> list[DeliveryReceipt]:
    deliver = destination.plan.operations["deliver"]
    operation = replace(deliver, outcomes={**deliver.outcomes, "gone": RecordMeaning.ABSENT})  # as of suppress
    return destination._matched_to(KEYS, read_receipts(destination.plan, operation, {"results": list(results)}, SENT))


@given(st.sampled_from([WITH_STATUS, WITHOUT_STATUS]), st.tuples(RESULT, RESULT, RESULT), st.permutations(range(3)))
def test_the_order_of_an_answer_changes_nothing(
    destination: RestDestination, told: tuple[dict[str, Any], ...], order: list[int]
) -> None:
    results = [{"id": key, **result} for key, result in zip(KEYS, told, strict=True)]
    in_order = _read(destination, *results)
    assert [receipt.key for receipt in in_order] == KEYS
    assert in_order == _read(destination, *[results[at] for at in order])
    assert in_order == _read(destination, *results, {"id": "nobody", "s": "ok"})


def test_every_status_of_the_manifest_has_its_outcome() -> None:
    told = {word: _read(WITH_STATUS, {"id": KEYS[0], "s": word})[0] for word in [*OUTCOMES, "gone", "else"]}
    assert {word: (receipt.outcome, receipt.created, receipt.code) for word, receipt in told.items()} == {
        "made": (Outcome.ACCEPTED, True, None),
        "kept": (Outcome.ACCEPTED, False, None),
        "ok": (Outcome.ACCEPTED, None, None),
        "bad": (Outcome.REJECTED, None, "no_reason_given"),
        "later": (Outcome.DEFERRED, None, None),
        "who knows": (Outcome.UNCERTAIN, None, None),
        "gone": (Outcome.ACCEPTED, None, "absent"),
        "true": (Outcome.ACCEPTED, None, None),
        "7": (Outcome.REJECTED, None, "no_reason_given"),
        "else": (Outcome.UNCERTAIN, None, "unknown_status"),
    }
    assert _read(WITH_STATUS, {"id": KEYS[0], "s": True})[0].outcome is Outcome.ACCEPTED
    assert _read(WITH_STATUS, {"id": KEYS[0], "s": 7})[0].outcome is Outcome.REJECTED
    (milder, *_) = _read(WITH_STATUS, {"id": KEYS[0], "s": "bad", "e": {"c": "TWICE"}})
    assert (milder.outcome, milder.created, milder.code) == (Outcome.ACCEPTED, False, "TWICE")


def test_a_key_that_was_sent_twice_is_never_read_in_order() -> None:
    operation = WITH_STATUS.plan.operations["deliver"]
    answer = {"results": [{"id": KEYS[0], "s": "made"}, {"id": KEYS[0], "s": "made"}]}
    (receipt,) = read_receipts(WITH_STATUS.plan, operation, answer, [SENT[0], SENT[0]])
    assert (receipt.outcome, receipt.code) == (Outcome.UNCERTAIN, "two_results")
    with pytest.raises(UncertainError):
        WITH_STATUS._matched_to(KEYS[:1], [receipt, receipt])


NESTED = st.recursive(ANYTHING, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=2), max_leaves=6)


@given(st.dictionaries(st.sampled_from("abc"), NESTED), st.lists(st.sampled_from("abc"), max_size=3))
def test_a_path_that_is_built_in_finds_what_stands_there(item: dict[str, Any], path: list[str]) -> None:
    assert getter(tuple(path))(item) == dig(item, tuple(path))
