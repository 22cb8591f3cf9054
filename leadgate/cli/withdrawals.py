"""Commands about withdrawals: who was told, what they answered, and what an officer does where the program cannot.

They print random ids, names of destinations, words and moments; who it was stands nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import typer

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.phrases_withdrawals import phrase
from leadgate.pipeline.withdrawal_facts import RecipientFact, WithdrawalFacts
from leadgate.rendering import Sheet, counts_line
from schemas.clocks import Clock
from schemas.errors import ConfigurationError, DeliveryError, LeadgateError, StorageUnavailableError
from schemas.vocabulary import Language
from schemas.words import TELLINGS, code_in, say
from schemas.words.cases import CLOCK_KINDS

#: Most withdrawals of one list.
_MOST = 100

withdrawals = typer.Typer(
    help=(
        "Withdrawals of consent: what was stopped, which recipients were told, what they answered.\n\n"
        "Recipients are told by the DAG leadgate_recipients within seconds: first to stop using the record, then to destroy it,"
        " as far as each can. Whoever cannot be told by the program, or refuses, is yours: `show` says so, and"
        " `told-by-hand` records that you did it."
    ),
    no_args_is_help=True,
)
app.add_typer(withdrawals, name="withdrawals", rich_help_panel="People")


@withdrawals.command("list")
def list_(
    *,
    still_open: Annotated[bool, typer.Option("--open", help="Only those somebody still holds data under.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)] = _MOST,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """List withdrawals, the newest first: when, for what, what was stopped, and how far telling the recipients has come."""
    with house() as opened:
        found = [each for each in opened.recipients.newest(limit=limit) if not (still_open and each.complete)]
        now = opened.clock()
    if as_json:
        screen.document([each.as_dict() for each in found])
        return
    if not found:
        screen.lines([phrase("none_open" if still_open else "none_yet", lang)])
        return
    sheet = Sheet(*(phrase(word, lang) for word in ("withdrawal", "said_at", "brand", "stopped", "recipients", "due")))
    for each in found:
        sheet.add(
            each.withdrawal_id,
            _moment(each.withdrawn_at),
            each.brand,
            str(len(each.stopped)),
            _summary(each, lang),
            _due(each.clocks, now, lang),
        )
    screen.out.print(sheet)


@withdrawals.command()
def show(
    withdrawal: Annotated[str, typer.Argument(help="Id of a withdrawal, or random id of a person.", metavar="ID")],
    lang: Lang = Language.EN,
    *,
    as_json: Json = False,
) -> None:
    """Show one withdrawal: what never left, who was told and what each answered, which clocks run, what is left to you."""
    with house() as opened:
        of_person = opened.recipients.of_persons([withdrawal])
        found = of_person or [opened.recipients.facts(withdrawal)]
        now = opened.clock()
    if as_json:
        screen.document([each.as_dict() for each in found] if of_person else found[0].as_dict())
        return
    for each in found:
        screen.lines(_lines(each, now, lang))


@withdrawals.command()
def retry(
    words: Annotated[list[str], typer.Argument(help="Ids of withdrawals, people or deliveries.", metavar="ID...")],
    actor: Actor,
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only counted.")] = False,
) -> None:
    """Ask again, at once, those recipients that refused, or that are being asked with growing pauses."""
    with house() as opened:
        found = opened.recipients.retry(words, apply=yes, actor=actor)
    if not found:
        screen.lines([phrase("nothing_to_retry", lang)])
        return
    screen.lines([phrase("retried" if yes else "would_retry", lang, count=len(found))])


@withdrawals.command("told-by-hand")
def told_by_hand(
    deliveries: Annotated[list[str], typer.Argument(help="Ids of deliveries, as `show` prints them.", metavar="DELIVERY...")],
    actor: Actor,
    how: Annotated[str, typer.Option(help="One word: letter, telephone, or the register number of your letter.")],
    lang: Lang = Language.EN,
) -> None:
    """Record that you told a recipient yourself. It stands in the log under your reference, for ever."""
    with house() as opened:
        told = opened.recipients.told_by_hand(deliveries, how=how, actor=actor)
    screen.lines([phrase("told", lang, destination=each.destination, how=how) for each in told])


@withdrawals.command()
def tell(
    destinations: Annotated[list[str] | None, typer.Argument(help="Names; all that are due, if none is named.")] = None,
    seconds: Annotated[float, typer.Option(help="Stop after this many seconds, between two batches.")] = 3600,
    lang: Lang = Language.EN,
) -> None:
    """Tell recipients now, as the DAG does. Safe to run beside it. One recipient's trouble never delays another."""
    failed: LeadgateError | None = None
    with house() as opened:
        due = opened.recipients_due()
        names = destinations or due
        if not names:
            screen.lines([phrase("nobody_due", lang)])
        for name in names:
            try:
                count = opened.tell_recipients(name, seconds=seconds, insist=bool(destinations))
                screen.out.print(counts_line(name, count.as_dict()))
            except StorageUnavailableError:
                raise  # the ledger is everybody's
            except (DeliveryError, ConfigurationError) as error:
                failed = failed or error
    if failed is not None:
        raise failed


def _summary(facts: WithdrawalFacts, language: Language) -> str:
    if not facts.recipients:
        return phrase("nobody", language)
    parts = [
        phrase(name, language, count=len(rows))
        for name, rows in (("by_hand", facts.by_hand), ("under_way", facts.under_way))
        if rows
    ]
    return ", ".join(parts) or phrase("done", language)


def _due(clocks: Sequence[Clock], now: datetime, language: Language) -> str:
    running = [each.due_at for each in clocks if each.met_at is None]
    if not running:
        return "-"
    first = min(running)
    return phrase("overdue", language, moment=_moment(first)) if first < now else _moment(first)


def _lines(facts: WithdrawalFacts, now: datetime, language: Language) -> Iterator[str]:
    yield phrase(
        "head",
        language,
        withdrawal=facts.withdrawal_id,
        brand=facts.brand,
        said=_moment(facts.withdrawn_at),
        recorded=_moment(facts.recorded_at),
        actor=facts.actor,
    )
    yield phrase("purposes", language, purposes=", ".join(facts.purposes))
    yield phrase("persons", language, persons=", ".join(facts.person_ids))
    for one in facts.stopped:
        yield phrase("stopped_one", language, destination=one.destination, purpose=one.purpose, delivery=one.delivery_id)
    for each in facts.recipients:
        yield from _told(each, language)
    for clock in facts.clocks:
        state, moment = ("clock_met", clock.met_at) if clock.met_at else ("clock_runs", clock.due_at)
        if clock.met_at is None and clock.due_at < now:
            state = "clock_overdue"
        yield phrase(state, language, kind=say(CLOCK_KINDS, clock.kind, language), moment=_moment(moment))
    if facts.complete:
        yield phrase("complete", language)


def _told(each: RecipientFact, language: Language) -> Iterator[str]:
    at = f", {_moment(each.at)}" if each.at else ""
    state = say(TELLINGS, each.state, language)
    yield phrase("told_one", language, destination=each.destination, purpose=each.purpose, state=state, at=at)
    if each.code:
        yield phrase("told_why", language, code=code_in(each.code, language))
    if each.again_at is not None and each.attempts:
        yield phrase("told_again", language, attempts=each.attempts, moment=_moment(each.again_at))
    if each.by_hand:
        yield phrase("told_by_hand_hint", language, delivery=each.delivery_id)


def _moment(at: datetime | None) -> str:
    return "-" if at is None else f"{at.isoformat(timespec='seconds')[:19]}Z"
