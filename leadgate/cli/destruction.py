"""Commands about what must go and what must stay: legal holds, and what a restored backup must lose again."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from leadgate.cli.root import Actor, Json, Lang, app, house, ledger_house, screen
from leadgate.documents import write_private
from leadgate.phrases_destruction import phrase
from leadgate.pipeline.act import Given
from leadgate.pipeline.restore import RestoreReport
from leadgate.pipeline.retention import RetentionCount
from leadgate.rendering import Sheet, retention_lines
from leadgate.storage.clock import from_micros
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import Language
from schemas.words import RETENTION, say

#: Exit codes, as app.py says them: the operator must act, the log is not whole.
_OPERATOR, _LOG = 2, 4

hold = typer.Typer(help="Legal holds: whose data must not be destroyed, and why.", no_args_is_help=True)
restore = typer.Typer(help="After a backup was restored: who must go again.", no_args_is_help=True)
app.add_typer(hold, name="hold", rich_help_panel="People")
app.add_typer(restore, name="restore", rich_help_panel="Operate")


@app.command(rich_help_panel="People")
def act(
    *,
    out: Annotated[Path, typer.Option(help="Where to: FILE.pdf; FILE.extract.pdf and FILE.json are written beside it.")],
    actor: Actor,
    person: Annotated[str | None, typer.Option(help="Random id of the destroyed person, as `erase` prints it.")] = None,
    again: Annotated[str | None, typer.Option(help="Or the id of an act, to print it once more.", metavar="ACT")] = None,
    position: Annotated[
        str | None, typer.Option(help="Of whoever destroyed; else destruction.position of leadgate.yaml.")
    ] = None,
    lang: Lang = Language.RU,
    alone: Annotated[
        bool, typer.Option("--alone", help="Without waiting for the quorum of witnesses; the act says so.")
    ] = False,
) -> None:
    """Draw up the act of destruction and the log extract of one person (Order 179), as PDF to sign and as JSON.

    Asks for the name of whoever destroyed, and for the name of the person, if you know it from the request: it stands on the
    act, and sealed with it for as long as it is kept; nowhere else.
    """
    if out.suffix != ".pdf":
        raise ConfigurationError("not_a_pdf", "name a file that ends in .pdf", field="--out")
    with ledger_house() as opened:
        desk = opened.destruction
        if again is not None:
            made = desk.acts.again(again)
        elif person is not None:
            desk.operator(person, position=position)  # whatever is missing is said before anybody is asked
            given = Given(destroyer=_asked("ask_destroyer", lang), subject=_asked("ask_subject", lang))
            with screen.working("drawing up the act ..."):
                made = desk.draw_up(person, given=given, position=position, language=lang, actor=actor, alone=alone)
        else:
            raise ConfigurationError("nobody", "name a person, or an act to print again", field="--person, --again")
    for ending, content in made.files.items():
        write_private(out.with_suffix(ending), content)
    names = ", ".join(out.with_suffix(ending).name for ending in made.files)
    screen.lines([phrase("act_written", lang, files=names, act=made.act_id, until=made.keep_until.date())])
    if made.open_copies:
        screen.lines([phrase("act_says_recipients", lang, names=", ".join(made.open_copies))])


def _asked(name: str, language: Language) -> Personal[str]:
    prompt = phrase(name, language)
    return Personal(
        typer.prompt(prompt, default="", show_default=False) if sys.stdin.isatty() else sys.stdin.readline().strip()
    )


@app.command(rich_help_panel="People")
def retention(
    *,
    actor: Actor = "system",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is a dry run.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say it, which is what happens without --yes anyway.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many of what is due to list one by one.", min=0)] = 20,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """Say what is kept, what is due for destruction, why and when; destroy it with `--yes`."""
    if yes and dry_run:
        raise ConfigurationError("one_of_both", "say --yes or --dry-run", field="--dry-run")
    with ledger_house() as opened, screen.working("looking through what is kept ..."):
        count = opened.apply_retention(dry_run=not yes, actor=actor, most=limit)
    if as_json:
        listed = [{name: value for name, value in asdict(each).items() if value} for each in count.listed]
        screen.document({**count.as_dict(), "next_due_at": count.next_due_at, "due": listed})
        return
    screen.lines(retention_lines(count, lang, done=yes))
    if count.listed:
        screen.out.print(_due(count, lang))
        more = sum(number for what, number in count.counts.items() if not what.startswith("keep.")) - len(count.listed)
        screen.lines([phrase("not_listed", lang, count=more)] if more > 0 else [])


def _due(count: RetentionCount, language: Language) -> Sheet:
    sheet = Sheet(*(phrase(name, language) for name in ("due", "what", "why", "purpose", "id")))
    for each in sorted(count.listed, key=lambda one: str(one.due_at)):
        sheet.add(
            f"{each.due_at:%Y-%m-%d %H:%M}" if each.due_at else "-",
            say(RETENTION, each.action, language),
            say(RETENTION, each.why, language),
            each.purpose or "-",
            each.submission_id or each.act_id or (each.lead_ids[0] if len(each.lead_ids) == 1 else each.person_id) or "-",
        )
    return sheet


@hold.command("set")
def hold_set(
    actor: Actor,
    person: Annotated[str, typer.Option(help="Random id of the person, as `find` prints it.")],
    reason: Annotated[str, typer.Option(help="One word that the log keeps: court_order, complaint ...")],
    until: Annotated[
        str | None, typer.Option(help="Last day, YYYY-MM-DD (to its end, UTC); without it until it is lifted.")
    ] = None,
    lang: Lang = Language.EN,
) -> None:
    """Let neither retention nor an erasure destroy one person's data. It stops nothing else: to stop calls, `withdraw`."""
    with ledger_house() as opened:
        made = opened.destruction.hold(person, reason=reason, until=_end_of(until), actor=actor)
    ends = phrase("hold_until", lang, moment=from_micros(made.until).date()) if made.until else ""
    screen.lines([phrase("hold_set", lang, person=person, hold=made.hold_id, until=ends)])


@hold.command("lift")
def hold_lift(
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="Id of the hold, as `hold list` prints it.")],
    actor: Actor,
    lang: Lang = Language.EN,
) -> None:
    """Lift a hold. What is due meanwhile goes with the next retention."""
    with ledger_house() as opened:
        lifted = opened.destruction.lift(hold_id, actor=actor)
    screen.lines([phrase("hold_lifted", lang, person=lifted.person_id)])


@hold.command("list")
def hold_list(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Show every hold that stands."""
    with ledger_house() as opened:
        found = opened.destruction.holds()
    if as_json:
        screen.document(
            [
                {
                    "hold": each.hold_id,
                    "person": each.person_id,
                    "reason": each.reason,
                    "set_at": from_micros(each.set_at).isoformat(),
                    "set_by": each.set_by,
                    "until": from_micros(each.until).isoformat() if each.until else None,
                }
                for each in found
            ]
        )
        return
    if not found:
        screen.lines([phrase("no_holds", lang)])
        return
    sheet = Sheet(*(phrase(name, lang) for name in ("hold", "person", "reason", "since", "by", "until")))
    for each in found:
        ends = str(from_micros(each.until).date()) if each.until else phrase("open_end", lang)
        sheet.add(each.hold_id, each.person_id, each.reason, str(from_micros(each.set_at).date()), each.set_by, ends)
    screen.out.print(sheet)


@restore.command("check")
def restore_check(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Prove the shred list and hold this ledger against it, and the log against what was published. Changes nothing.

    Exit 2: people who were destroyed are back. Exit 4: the log went back, or the list itself is not what was written.
    """
    with house() as opened, screen.working("proving the shred list ..."):
        report = opened.destruction.restorer.check()
    if as_json:
        screen.document(report.as_dict())
    else:
        screen.lines([*_standing(report, lang)])
    _leave(report)


@restore.command("replay")
def restore_replay(
    actor: Actor,
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only how many would go is said.")] = False,
    as_json: Json = False,
) -> None:
    """Destroy again whoever a restored backup brought back. Until then nothing else works on such a ledger."""
    with house() as opened, screen.working("proving the shred list ..."):
        restorer = opened.destruction.restorer
        report = restorer.replay(actor=actor) if yes else restorer.check()
    if as_json:
        screen.document(report.as_dict())
    elif yes:
        screen.lines([phrase("replayed", lang, **report.as_dict()), *_standing(report, lang)])
    else:
        screen.lines([*_standing(report, lang), phrase("would_replay", lang, alive=report.alive)])
    if yes:
        _leave(report)


@restore.command("withdrawals")
def restore_withdrawals(
    actor: Actor,
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only how many are missing is said.")] = False,
    as_json: Json = False,
) -> None:
    """Take up withdrawals of the lost time. After `leadgate log recover`, and before anything is sent.

    Exit 1: some are of people whom this ledger does not know; their sources must send them again.
    """
    with ledger_house() as opened, screen.working("reading the log ..."):
        found = opened.destruction.take_up(apply=yes, actor=actor)
    if as_json:
        screen.document(found.as_dict())
    else:
        screen.lines([phrase("taken_up" if yes else "would_take_up", lang, **found.as_dict())])
        screen.lines([phrase("withdrawals_unknown", lang, count=found.unknown)] if found.unknown else [])
    if found.unknown:
        raise typer.Exit(1)


def _standing(report: RestoreReport, language: Language) -> list[str]:
    said = [
        phrase("list_proven", language, **report.as_dict()),
        phrase("list_behind" if report.behind else "list_kept_up", language, **report.as_dict()),
    ]
    if report.log_went_back:
        said.append(phrase("log_went_back", language, **report.as_dict()))
    return said


def _leave(report: RestoreReport) -> None:
    if report.log_went_back:
        raise typer.Exit(_LOG)
    if report.behind:
        raise typer.Exit(_OPERATOR)


def _end_of(day: str | None) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)
    except ValueError:
        raise ConfigurationError("bad_date", "write the day as YYYY-MM-DD", field="--until") from None
