"""A batch is opened as each of its deliveries alone would be: the gate's answer for a shape is the gate's answer for each."""

from __future__ import annotations

import dataclasses
import os
from datetime import time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.gate import ALL_PURPOSES, CLOCK_SKEW
from consent.keys.keyring import new_keyring
from consent.vault import Vault
from leadgate.pipeline.opening import Opened, Opener
from leadgate.storage.clock import to_micros
from leadgate.storage.outbox import Claimed
from schemas.personal import Personal
from schemas.policy import BrandPolicy, CallingWindow, Marketing
from schemas.vocabulary import Language
from tests.consent.agreements import CALLS, DAY, DIGEST, NOW, OTHER, notice, policy

VAULT = Vault(new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom), "acme")
KEY = VAULT.new_person_key("p1")
SEALED = VAULT.seal_lead(
    KEY, "l1", Personal({"given_name": "Анна", "phone": "+79000000001", "text": "x", "email": "a@example.org"})
)
TICK = timedelta(microseconds=1)
TOLD = frozenset({"phone", "given_name", "topic", "consent_given_at", "received_at", "lead_ref", "calling_window", "country"})
PURPOSE = policy().purposes["callback"]


def _under(*notices: Any, **changes: Any) -> BrandPolicy:
    return policy(notices={one.key: one for one in notices}, **changes)


POLICIES = {
    "plain": policy(),
    "retired": _under(notice(valid_until=NOW - DAY), notice(language=Language.EN)),
    "not yet retired": _under(notice(valid_until=NOW + DAY)),
    "retired before it began": _under(notice(valid_until=NOW - 200 * DAY)),
    "not begun": _under(notice(valid_from=NOW + DAY)),
    "stale": _under(notice(), notice("9", valid_from=NOW - DAY, renewal_from=NOW)),
    "another text": _under(notice(text_sha256=OTHER)),
    "another purpose": _under(notice(purposes=frozenset({"crm_followup"}))),
    "endless term": policy(purposes={"callback": dataclasses.replace(PURPOSE, valid_for=timedelta(days=5000 * 365))}),
    "marketing": policy(purposes={"callback": dataclasses.replace(PURPOSE, marketing=Marketing.CALL)}),
    "no route": policy(recipients={}),
    "everything told": policy(
        recipients={"calls": dataclasses.replace(CALLS, discloses={"callback": TOLD})},
        purposes={"callback": dataclasses.replace(PURPOSE, fields=PURPOSE.fields | TOLD)},
        calling_windows={"RU": CallingWindow(begin=time(9), end=time(21))},
    ),
}
#: Where an answer may turn, and the moments beside it.
TURNS = [NOW, NOW + CLOCK_SKEW, NOW - 30 * DAY, NOW - 100 * DAY, NOW - DAY, NOW + DAY, NOW - 200 * DAY]
MOMENTS = st.one_of(
    st.sampled_from([to_micros(turn + step * TICK) for turn in TURNS for step in (-1, 0, 1)]),
    st.sampled_from([0, -1, 2**62]),
    st.integers(to_micros(NOW - 250 * DAY), to_micros(NOW + 2 * DAY)),
)


def _claimed(**changes: Any) -> Claimed:
    plain = Claimed(
        delivery_id="d1",
        lead_id="l1",
        person_id="p1",
        purpose="callback",
        key="k" * 26,
        attempt=1,
        brand="lada",
        channel="vk",
        language="ru",
        topic="test_drive",
        country="RU",
        received_at=to_micros(NOW),
        sealed=SEALED.envelope,
        wrapped_key=KEY.wrapped,
        key_version=KEY.key_version,
        consent_id="c1",
        purposes="callback crm_followup",
        notice_id="contact",
        notice_version="2",
        notice_language="ru",
        text_sha256=DIGEST,
        indication="direct_message",
        evidence="",
        given_at=to_micros(NOW - DAY),
        recorded_at=to_micros(NOW - DAY),
    )
    return plain._replace(**changes)


CHANGES = st.fixed_dictionaries(
    {"given_at": MOMENTS},
    optional={
        "brand": st.just("nobody"),
        "purpose": st.sampled_from(["crm_followup", "telepathy"]),
        "purposes": st.sampled_from(["callback", "crm_followup", ""]),
        "notice_version": st.sampled_from(["3", "1", "none"]),
        "notice_language": st.sampled_from(["en", "xx"]),
        "text_sha256": st.just(OTHER),
        "indication": st.just("telepathy"),
        "country": st.sampled_from(["KZ", "DE"]),
        "person_id": st.sampled_from(["withdrew", "withdrew all", "withdrew another", "erased"]),
        "sealed": st.sampled_from([None, b"torn"]),
        "wrapped_key": st.none(),
        "key_version": st.none(),
    },
)
WITHDRAWN = {
    "withdrew": {"callback": NOW - DAY},
    "withdrew all": {ALL_PURPOSES: NOW - 2 * DAY},
    "withdrew another": {"crm_followup": NOW},
}


@given(st.sampled_from(sorted(POLICIES)), st.lists(CHANGES, max_size=12))
def test_a_batch_is_answered_as_each_of_it_alone(name: str, changes: list[dict[str, Any]]) -> None:
    opener = Opener(vault=VAULT, policies={"lada": POLICIES[name]}, destination="calls")
    batch = [_claimed(**change) for change in changes]
    alone = [
        "erased" if one.person_id == "erased" else opener.open(one, WITHDRAWN.get(one.person_id, {}), NOW) for one in batch
    ]
    assert opener.open_batch(batch, withdrawn=WITHDRAWN, erased={"erased"}, now=NOW) == alone


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_the_answer_turns_at_the_same_moment(name: str) -> None:
    opener = Opener(vault=VAULT, policies={"lada": POLICIES[name]}, destination="calls")
    batch = [_claimed(given_at=to_micros(turn + step * TICK)) for turn in TURNS for step in (-1, 0, 1)]
    answers = opener.open_batch(batch, withdrawn={}, erased=(), now=NOW)
    assert answers == [opener.open(one, {}, NOW) for one in batch]
    assert any(isinstance(answer, Opened) for answer in answers) is (
        name in ("plain", "retired", "not yet retired", "endless term", "everything told")
    )


class _Counted(dict[Any, Any]):
    """Notices that count how often the gate looks for one."""

    asked = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


def test_a_usual_batch_asks_the_gate_twice() -> None:
    """The ends of the span, not each delivery: otherwise the short way is a second way that nobody takes."""
    notices = _Counted({one.key: one for one in (notice(), notice(language=Language.EN))})
    opener = Opener(vault=VAULT, policies={"lada": policy(notices=notices)}, destination="calls")
    opener.open_batch([_claimed() for _ in range(9)], withdrawn={}, erased=(), now=NOW)
    assert notices.asked == 2, "both ends of one span"
    opener.open_batch([_claimed(notice_language=language) for language in ("en", "ru") * 9], withdrawn={}, erased=(), now=NOW)
    assert notices.asked == 2 + 4, "another batch is another moment, and another text is asked about alone"


def test_what_is_told_is_in_the_words_of_the_receiver() -> None:
    opener = Opener(vault=VAULT, policies={"lada": POLICIES["everything told"]}, destination="calls")
    (opened,) = opener.open_batch([_claimed()], withdrawn={}, erased=(), now=NOW)
    assert isinstance(opened, Opened)
    assert opened.disclosure.fields.reveal() == {
        "calling_window": "07:00-09:00 UTC",
        "consent_given_at": "2026-11-21T12:00:00Z",
        "country": "RU",
        "given_name": "Анна",
        "lead_ref": "k" * 26,
        "phone": "+79000000001",
        "received_at": "2026-11-22T12:00:00Z",
        "topic": "test_drive",
    }
    assert opened.names == sorted(opened.disclosure.fields.reveal())
