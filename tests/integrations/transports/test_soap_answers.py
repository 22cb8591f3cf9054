"""Answer, fault or noise: by construction, by the specifications' own examples, and under random damage."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from integrations.transports.http import Intent
from integrations.transports.soap_answers import Answer, Fault, elements_at, judge_untyped, read_envelope, text_at
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


def response(body: bytes | str, *, status: int = 200, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else body.encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def envelope(inner: str, *, namespace: str = SOAP_11) -> str:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Header/><s:Body>{inner}</s:Body></s:Envelope>'


def fault_11(code: str, detail: str = "") -> str:
    return envelope(f"<s:Fault><faultcode>{code}</faultcode><faultstring>secret prose</faultstring>{detail}</s:Fault>")


GOOD = envelope("".join(["<a:Done xmlns:a='urn:a'>", *(f"<a:r><a:k>{n}</a:k></a:r>" for n in range(5)), "</a:Done>"]))


def read(body: bytes | str, *, intent: Intent = Intent.WRITE, expected: str | None = "Done", **more: Any) -> Answer | Fault:
    return read_envelope(response(body, **more), intent, expected=expected)


def test_an_answer_is_its_first_element() -> None:
    answer = read(GOOD)
    assert isinstance(answer, Answer)
    assert [text_at(result, "k") for result in elements_at(answer.element, ["r"])] == ["0", "1", "2", "3", "4"]
    assert "Done" not in repr(answer), "what is in it is personal"


def test_an_answer_of_soap_1_2_is_one_too() -> None:
    assert isinstance(read(envelope("<Done/>", namespace=SOAP_12)), Answer)


def test_a_one_way_operation_answers_nothing() -> None:
    assert read("", expected=None, status=202) == Answer(element=None)


@pytest.mark.parametrize("code", ["s:Server", "Server", " soap:Server "])
def test_a_fault_is_known_by_its_local_code(code: str) -> None:
    for status in (200, 400, 500):
        fault = read(fault_11(code), status=status)
        assert isinstance(fault, Fault)
        assert (fault.code, fault.name) == ("Server", None)
        assert "secret" not in repr(fault)


def test_a_typed_fault_carries_its_detail() -> None:
    fault = read(fault_11("s:Server", "<detail><x:Busy xmlns:x='urn:x'><x:after>9</x:after></x:Busy></detail>"), status=500)
    assert isinstance(fault, Fault)
    assert (fault.name, text_at(fault.detail, "after")) == ("Busy", "9")


def test_the_innermost_subcode_of_soap_1_2_says_most() -> None:
    code = "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:MessageExpired</s:Value></s:Subcode></s:Code>"
    inner = f"<s:Fault>{code}<s:Reason><s:Text>prose</s:Text></s:Reason><s:Detail><Late/></s:Detail></s:Fault>"
    fault = read(envelope(inner, namespace=SOAP_12), status=400)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.name) == ("MessageExpired", "Late")


def test_a_bare_fault_under_a_telling_status_is_what_the_status_says() -> None:
    with pytest.raises(TransientError) as caught:
        read(fault_11("s:Server"), status=429, Retry_After="5")
    assert (caught.value.throttled, caught.value.retry_after) == (True, 5.0)
    with pytest.raises(TerminalError):
        read(fault_11("s:Server"), status=401)


NOISE = {
    "html": "<!DOCTYPE html><html><body>Sign in</body></html>",
    "xhtml": "<html><body/></html>",
    "json": '{"ok": true}',
    "cut": GOOD[: len(GOOD) // 2],
    "doctype": "<!DOCTYPE x []>" + GOOD,
    "another version of SOAP": envelope("<Done/>", namespace="urn:soap"),
    "another operation": envelope("<Other/>"),
    "an empty body": envelope(""),
    "no body": f'<s:Envelope xmlns:s="{SOAP_11}"/>',
    "nothing": "",
    "two documents": GOOD + GOOD,
}


@pytest.mark.parametrize("body", NOISE.values(), ids=NOISE.keys())
def test_noise_after_a_write_is_doubt(body: str) -> None:
    with pytest.raises(UncertainError):
        read(body)
    with pytest.raises((TransientError, TerminalError)):
        read(body, intent=Intent.READ)


@pytest.mark.parametrize(
    ("code", "after_write", "after_read"),
    [
        ("Server", UncertainError, TransientError),
        ("Receiver", UncertainError, TransientError),
        ("-1", UncertainError, TransientError),
        ("", UncertainError, TransientError),
        ("Client", TerminalError, TerminalError),
        ("Client.BadThing", TerminalError, TerminalError),
        ("Sender", TerminalError, TerminalError),
        ("MustUnderstand", TerminalError, TerminalError),
        ("VersionMismatch", TerminalError, TerminalError),
        ("FailedAuthentication", TerminalError, TerminalError),
        ("InvalidSecurityToken", TerminalError, TerminalError),
        ("MessageExpired", TerminalError, TerminalError),
    ],
)
def test_what_a_bare_fault_means(code: str, after_write: type[DeliveryError], after_read: type[DeliveryError]) -> None:
    assert type(judge_untyped(Fault(code=code), Intent.WRITE)) is after_write
    assert type(judge_untyped(Fault(code=code), Intent.READ)) is after_read


@given(at=st.integers(0, len(GOOD) - 1), to=st.integers(0, len(GOOD)), junk=st.binary(max_size=6))
def test_no_damage_adds_a_result_or_another_exception(at: int, to: int, junk: bytes) -> None:
    """Any stretch replaced by any bytes: what is read is an answer with no more results than were there, or a DeliveryError."""
    raw = GOOD.encode()
    try:
        answer = read(raw[:at] + junk + raw[max(at, to) :])
    except DeliveryError:
        return
    if isinstance(answer, Answer):
        assert len(elements_at(answer.element, ["r"])) <= 5


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 202, 204, 400, 404, 500, 503]))
def test_random_bytes_are_never_an_answer(body: bytes, status: int) -> None:
    with pytest.raises(DeliveryError):
        read(body, status=status)
