"""Lists are never cut, whatever they are shown on; every sentence stands in both languages with the same gaps."""

from __future__ import annotations

import io
import string
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from leadgate.phrases import PHRASES
from leadgate.pipeline.balance import Balance, Promise
from leadgate.pipeline.plan import DestinationPlan
from leadgate.rendering import Sheet, balance_table, plan_lines, promise_lines, quarantine_table
from schemas.vocabulary import Language

AT = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
ID = "01a201fc-0538-7fdb-9348-ed2816ba7ec9"


def shown(what: object, *, width: int, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, color_system=None, highlight=False, soft_wrap=True).print(what)
    return out.getvalue()


def sheet() -> Sheet:
    made = Sheet("submission", "field", "what is wrong")
    made.add(ID, "consent.purposes[0]", "a sentence that is rather long for any narrow column")
    made.add(ID, "-", "[bold]short[/]")
    return made


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [20, 60, 100, 1_000])
def test_no_cell_is_cut_on_any_width(width: int, terminal: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    text = shown(sheet(), width=width, terminal=terminal)
    assert "…" not in text
    for cell in (ID, "consent.purposes[0]", "a sentence that is rather long for any narrow column", "[bold]short[/]"):
        assert cell in text


def test_what_fits_is_a_table_and_what_does_not_is_blocks() -> None:
    assert "┃" in shown(sheet(), width=200, terminal=True)
    blocks = shown(sheet(), width=60, terminal=True).splitlines()
    assert blocks[1] == "  field: consent.purposes[0]"
    assert blocks[4] == "  what is wrong: [bold]short[/]", "a cell that says nothing is left out"


def test_paper_gets_a_row_a_line_without_frames() -> None:
    lines = shown(sheet(), width=1_000).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["submission", "field", "what", "is", "wrong"]
    assert not set("┃│━─") & set("".join(lines))


BALANCE = Balance(
    taken_at=AT,
    received=9,
    waiting=1,
    admitted=4,
    quarantined=3,
    refused=1,
    reasons={"invalid_field": 3, "duplicate": 1},
    deliveries={"crm": {"accepted": 2, "dead": 1, "uncertain": 1}},
    median_seconds=4.2,
    p99_seconds=75,
    longest_seconds=90_000,
    late=1,
    leaves=20,
    pending_leaves=2,
    tree_size=15,
)


def test_an_open_balance_says_what_is_open_and_whose_turn_it_is() -> None:
    text = shown(balance_table(BALANCE, "en"), width=400)
    assert "received 9 = admitted 4 + quarantined 3 + refused 1 + not decided yet 1" in text
    assert "The books are OPEN." in text
    assert "1 not decided yet: `leadgate admit`" in text
    assert "1 deliveries have no final outcome yet" in text
    assert "Dead letters wait for a person: 1" in text
    assert "15 entries under a signature, 7 wait" in text
    assert "1 d 1 h" in text
    assert "suppressed" not in text, "a state in which nothing stands has no column"


def test_the_russian_balance_is_russian() -> None:
    text = shown(balance_table(BALANCE, "ru"), width=400)
    assert "получено 9 = допущено 4 + на разбор 3 + отказано 1 + ещё не решено 1" in text
    assert "Причины: неверное поле 3, повтор 1" in text
    assert "Баланс НЕ сходится." in text
    assert "1 д 1 ч" in text


def test_a_plan_names_the_fields_and_a_pause() -> None:
    plan = DestinationPlan(
        destination="crm",
        sends=2,
        calls=1,
        stopped={"withdrawn": 1},
        fields={"lada:crm_followup": ("given_name", "phone")},
        waiting={"uncertain": 3},
        paused_until=AT,
    )
    text = "\n".join(plan_lines([plan], "ru"))
    assert "crm: будет отправлено 2, вызовов: 1" in text
    assert "переданы поля: given_name phone" in text
    assert "проверка остановит: согласие отозвано 1" in text
    assert "не сейчас: неясно 3" in text
    assert "`leadgate check crm`" in text


def test_a_promise_at_risk_says_what_to_press() -> None:
    now = Promise(
        kind="delivery",
        waiting_id=ID,
        since=AT,
        age=timedelta(hours=3, minutes=20),
        warn_after=timedelta(hours=3),
        answer_within=timedelta(hours=4),
    )
    lines = [*promise_lines(now, "en")]
    assert lines[0] == f"AT RISK: delivery {ID} waits for 3 h 20 min; promised within 4 h"
    assert "leadgate plan" in lines[1]


def test_a_quarantine_without_rows_says_so() -> None:
    assert shown(quarantine_table([], "ru"), width=80) == "Разбирать нечего.\n"


@pytest.mark.parametrize("name", PHRASES)
def test_both_languages_fill_the_same_gaps(name: str) -> None:
    said = PHRASES[name]
    english, russian = ({gap for _, gap, _, _ in string.Formatter().parse(text) if gap} for text in said)
    assert english == russian
    assert said.in_(Language.EN) != said.in_(Language.RU)
