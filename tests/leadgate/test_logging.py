"""A log line holds ids, counts, codes and names of fields, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from leadgate.logging import DROPPED, configure, get_logger
from schemas.errors import TransientError
from schemas.personal import Personal

PHONE = "+79000000001"
NAME = "Пробная Анна"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    target = io.StringIO()
    configure("DEBUG", style="json", stream=target)
    yield target
    root.handlers[:] = before
    root.setLevel(level)


def fail(error: Exception) -> None:
    raise error


def line(stream: io.StringIO) -> dict[str, object]:
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    found: dict[str, object] = json.loads(lines[0])
    return found


def test_ids_counts_codes_and_field_names_pass(stream: io.StringIO) -> None:
    get_logger("leadgate.pipeline").info(
        "batch admitted",
        lead_id="0190b0a0-0000-7000-8000-000000000001",
        count=500,
        code="http_503",
        field="consent.purposes[0]",
        fields={"phone", "email"},
        counts={"admitted": 3, "refused": 1},
    )
    written = line(stream)
    assert written["event"] == "batch admitted"
    assert written["lead_id"] == "0190b0a0-0000-7000-8000-000000000001"
    assert written["count"] == 500
    assert written["fields"] == ["email", "phone"]
    assert written["counts"] == {"admitted": 3, "refused": 1}
    assert written["level"] == "info"
    assert written["logger"] == "leadgate.pipeline"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("phone", PHONE),
        ("lead_id", "79000000001"),
        ("lead_id", PHONE),
        ("count", 79000000001),
        ("code", NAME),
        ("field", NAME),
        ("fields", [NAME]),
        ("counts", {NAME: 1, "phones": PHONE}),
        ("at", NAME),
        ("anything", object()),
        (NAME, 1),
    ],
)
def test_other_values_are_dropped(stream: io.StringIO, key: str, value: object) -> None:
    get_logger("leadgate.pipeline").info("something happened", **{key: value})
    text = stream.getvalue()
    assert PHONE.lstrip("+") not in text
    assert NAME not in text


def test_personal_is_personal_under_every_key(stream: io.StringIO) -> None:
    get_logger("leadgate.pipeline").info("opened", code=Personal(PHONE), anything=Personal(NAME))
    written = line(stream)
    assert written["code"] == "<personal>"
    assert written["anything"] == "<personal>"


def test_a_handler_that_is_not_ours_shows_a_person_words_and_figures(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        get_logger("leadgate.pipeline").info("destination served", destination="lada_crm", counts={"accepted": 27, "dead": 0})
        get_logger("leadgate.pipeline").info("nothing to tell")
    assert [record.getMessage() for record in caplog.records] == [
        "destination served: destination=lada_crm accepted=27",
        "nothing to tell",
    ]


def test_an_event_that_holds_a_value_is_dropped(stream: io.StringIO) -> None:
    get_logger("leadgate.pipeline").info(f"calling {PHONE}")
    assert line(stream)["event"] == DROPPED


def test_our_error_is_logged_by_code_and_sentence(stream: io.StringIO) -> None:
    try:
        fail(TransientError("throttled", "the destination asks us to wait", field="lada_crm"))
    except TransientError:
        get_logger("leadgate.pipeline").exception("delivery failed")
    written = line(stream)
    assert (written["error"], written["message"], written["error_field"]) == (
        "throttled",
        "the destination asks us to wait",
        "lada_crm",
    )
    assert written["level"] == "error"


def test_a_foreign_error_is_logged_by_type_only(stream: io.StringIO) -> None:
    try:
        fail(ValueError(f"bad number {PHONE} of {NAME}"))
    except ValueError:
        get_logger("leadgate.pipeline").warning("delivery failed", exc_info=True)
    assert line(stream)["error_type"] == "ValueError"
    assert PHONE not in stream.getvalue()
    assert NAME not in stream.getvalue()


def test_foreign_records_lose_their_message(stream: io.StringIO) -> None:
    logging.getLogger("some.client").debug("POST body=%s", PHONE)
    logging.getLogger("some.client").warning("refused %s", PHONE)
    written = line(stream)
    assert written["event"] == "foreign record"
    assert written["logger"] == "some.client"
    assert str(written["where"]).startswith("test_logging.py:")
    assert PHONE not in stream.getvalue()


def test_plain_records_of_ours_keep_the_template_and_lose_values(stream: io.StringIO) -> None:
    logging.getLogger("leadgate.intake").info("source %s took %d of %s", "lada_webhook", 3, PHONE)
    assert line(stream)["event"] == f"source lada_webhook took 3 of {DROPPED}"


def test_console_style_is_one_line_for_a_person() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    target = io.StringIO()
    try:
        configure("INFO", style="console", stream=target)
        get_logger("leadgate.cli").info("sealed", size=12)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert "info     sealed size=12" in target.getvalue()


def test_nothing_is_written_below_the_level(stream: io.StringIO) -> None:
    logging.getLogger().setLevel("WARNING")
    get_logger("leadgate.quiet").info("not interesting")
    assert stream.getvalue() == ""
