"""Commands about legal clocks: what the law gives how long for, what is late, what is met."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from leadgate.case_phrases import sentence
from leadgate.cli.asking import moment
from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.pipeline.clock_board import Board
from leadgate.rendering import Sheet
from leadgate.wiring import House
from schemas.clocks import Clock, ClockKind, ClockSubject
from schemas.vocabulary import Language
from schemas.words import say
from schemas.words.cases import CLOCK_KINDS, CLOCK_STATES, CLOCK_SUBJECTS

#: Exit code when a clock is overdue, so that a script can ask.
_LATE = 1
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60

clock = typer.Typer(help="One legal clock: start one for an incident, extend one, call one met.", no_args_is_help=True)
app.add_typer(clock, name="clock", rich_help_panel="Evidence")

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this only what would happen is shown.")]


@app.command(rich_help_panel="Evidence")
def clocks(
    met: Annotated[int, typer.Option(help="Also list this many of those that were met, the newest first.", min=0)] = 0,
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """List every legal clock that runs, the most urgent first. Exit 1 if one is overdue.

    Clocks start with withdrawals, requests and incidents, and are met by what is done; `leadgate clock` does the rest by hand.
    """
    with house() as opened:
        board = opened.clocks.board(met=met)
        if as_json:
            screen.document({**board.as_dict(), "running": [_facts(board, each) for each in (*board.running, *board.met)]})
        else:
            _show(opened, board, lang)
    if board.counts["overdue"]:
        raise typer.Exit(_LATE)


@clock.command("start")
def clock_start(
    brand: Annotated[str, typer.Option(help="The brand whose clocks these are, as in leadgate.yaml.")],
    actor: Actor,
    *,
    kind: Annotated[
        list[ClockKind] | None, typer.Option(help="The notice and the report to the regulator if none is named.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="When it became known, with its offset; now if not said.", metavar="MOMENT")
    ] = None,
    about: Annotated[str | None, typer.Option(help="Id of what it is about; a new one if not said.", metavar="ID")] = None,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """Start the clocks of an incident: 24 hours to tell the regulator, 72 to report (as leadgate.yaml says)."""
    kinds = kind or [ClockKind.INCIDENT_NOTICE, ClockKind.INCIDENT_REPORT]
    with house() as opened:
        began = moment(at, otherwise=opened.clock(), option="--at")
        started = opened.clocks.start(kinds, brand=brand, subject=ClockSubject.INCIDENT, at=began, about=about, actor=actor)
        if as_json:
            screen.document(
                [{"clock": each.clock_id, "about": each.about, "due_at": each.due_at.isoformat()} for each in started]
            )
        else:
            for each in started:
                what = say(CLOCK_KINDS, each.kind, lang)
                screen.lines([sentence("clock_started", lang, clock=each.clock_id, what=what, due=_local(opened, each))])


@clock.command("met")
def clock_met(
    clocks_: Annotated[list[str], typer.Argument(metavar="CLOCK...", help="Ids, as `leadgate clocks` prints them.")],
    actor: Actor,
    outcome: Annotated[str, typer.Option(help="One word that the log keeps, such as a register number.")] = "done",
    lang: Lang = Language.EN,
    *,
    yes: Yes = False,
) -> None:
    """Call the clocks of an incident met. All others are met by what is done; this program looks for itself."""
    if not yes:
        screen.lines([sentence("would_meet", lang, count=len(clocks_))])
        return
    with house() as opened:
        for each in opened.clocks.meet(clocks_, outcome=outcome, actor=actor):
            screen.lines([sentence("clock_met", lang, clock=each.clock_id)])


@clock.command("extend")
def clock_extend(
    clock_id: Annotated[str, typer.Argument(metavar="CLOCK", help="Its id, as `leadgate clocks` prints it.")],
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why, in one word that the log keeps.")],
    notice: Annotated[str, typer.Option(help="Reference of the reasoned notice the person was sent.")],
    lang: Lang = Language.EN,
    *,
    yes: Yes = False,
) -> None:
    """Use the extension the law knows, once: the person must have been told why before the clock was over."""
    if not yes:
        screen.lines([sentence("would_extend", lang)])
        return
    with house() as opened:
        moved = opened.clocks.extend(clock_id, reason=reason, notice=notice, actor=actor)
        screen.lines([sentence("clock_extended", lang, clock=moved.clock_id, due=_local(opened, moved))])


def _show(opened: House, board: Board, lang: Language) -> None:
    headings = ("clock", "what", "about", "brand", "law", "due", "left", "state")
    sheet = Sheet(*(sentence(each, lang) for each in headings))
    for each in (*board.running, *board.met):
        state = board.state(each)
        flag = f" ({sentence(f'flag_{each.flag}', lang)})" if each.flag else ""
        sheet.add(
            each.clock_id,
            say(CLOCK_KINDS, each.kind, lang),
            f"{say(CLOCK_SUBJECTS, each.subject, lang)} {each.about}",
            each.brand,
            each.law,
            _local(opened, each),
            "-" if each.met_at else duration(each.due_at - board.taken_at, lang),
            say(CLOCK_STATES, state, lang) + flag,
        )
    if board.running or board.met:
        screen.out.print(sheet)
        screen.lines([sentence("summary", lang, **board.counts)])
    else:
        screen.lines([sentence("no_clocks", lang)])
    if board.behind:
        screen.lines([sentence("behind", lang)])


def _facts(board: Board, each: Clock) -> dict[str, object]:
    return {
        "clock": each.clock_id,
        "kind": each.kind.value,
        "subject": each.subject.value,
        "about": each.about,
        "brand": each.brand,
        "jurisdiction": each.jurisdiction,
        "law": each.law,
        "term": each.term,
        "started_at": each.started_at.isoformat(),
        "due_at": each.due_at.isoformat(),
        "latest_at": each.latest_at.isoformat() if each.latest_at else None,
        "extended": each.extended_at is not None,
        "met_at": each.met_at.isoformat() if each.met_at else None,
        "state": board.state(each).value,
        "flag": each.flag,
        "seconds_left": None if each.met_at else int((each.due_at - board.taken_at).total_seconds()),
    }


def _local(opened: House, each: Clock) -> str:
    policy = opened.policies.get(each.brand)
    return local(each.due_at, policy.clocks.calendar.zone if policy else "UTC")


def local(at: datetime, zone: str) -> str:
    """A moment where the brand is: people go home by that clock."""
    there = at.astimezone(ZoneInfo(zone))
    return f"{there:%Y-%m-%d %H:%M} {there:%z}"


def duration(left: timedelta, lang: Language) -> str:
    """``3 d 4 h``; with a minus sign if it is over."""
    seconds = int(abs(left.total_seconds()))
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    units = ("д", "ч", "мин") if lang is Language.RU else ("d", "h", "min")
    if days:
        said = f"{days} {units[0]} {hours} {units[1]}"
    else:
        said = f"{hours} {units[1]} {minutes} {units[2]}" if hours else f"{minutes} {units[2]}"
    return f"-{said}" if left < timedelta(0) else said
