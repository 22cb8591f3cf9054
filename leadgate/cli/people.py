"""Commands about one person, for officers and moderators.

Identifiers are typed at a prompt or piped in, never an argument: arguments stand in process lists and shell histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from leadgate.cli.asking import identifier
from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.cli.withdrawing import moment_of, preview_document, preview_lines, withdrawn_lines
from leadgate.phrases import phrase
from leadgate.phrases_destruction import phrase as of_destruction
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language, PersonState

Brand = Annotated[str, typer.Option(help="The brand the person wrote to, as in leadgate.yaml.")]


@app.command(name="withdraw", rich_help_panel="People")
def withdraw_consent(
    brand: Brand,
    actor: Actor,
    purpose: Annotated[list[str] | None, typer.Option(help="Only this purpose; all of them if none is named.")] = None,
    said_at: Annotated[
        str | None, typer.Option(help="When the person said it, if not now: 2026-03-02T09:00:00+03:00, or a date (its end).")
    ] = None,
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Record it; without this only what would happen is shown.")] = False,
    as_json: Json = False,
) -> None:
    """Record that a person takes consent back. Asks for a phone or an e-mail. Shows what would happen; does it with `--yes`.

    What waits for the person stops at once; recipients that have the data are told within seconds, first to stop using it, then
    to destroy it. `leadgate withdrawals show` says what they answer. It cannot be taken back, only consent given anew.
    """
    at = moment_of(said_at, lang) if said_at else None
    with house() as opened:
        withdrawal = identifier(opened, brand, tuple(purpose or ()), lang)
        shown = opened.recipients.preview(withdrawal, at=at)
        if not yes:
            ways = opened.recipients.ways({name for name, _ in shown.tells})
            if as_json:
                screen.document(preview_document(shown, ways))
            else:
                screen.lines(preview_lines(shown, ways, lang))
            return
        done = opened.recipients.withdraw(withdrawal, actor=actor, at=at)
    if as_json:
        screen.document(done.as_dict())
    else:
        screen.lines(withdrawn_lines(done, lang, known=bool(shown.person_ids)))


@app.command(rich_help_panel="People")
def find(brand: Brand, lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Find a person and their leads by phone or e-mail. Asks for the identifier; prints ids only. Exit 1 if nobody is known."""
    with house() as opened:
        ids = opened.persons(withdrawal=identifier(opened, brand, (), lang))
        found = {person: opened.leads_of_person(person) for person in ids}
    if as_json:
        screen.document([{"person": person, "leads": leads} for person, leads in found.items()])
    else:
        for person, leads in found.items():
            screen.lines(
                [phrase("found_person", lang, person=person), *(phrase("found_lead", lang, lead=each) for each in leads)]
            )
    if not found:
        screen.err.print(phrase("nobody_known", lang), markup=False)
        raise typer.Exit(1)


@app.command(rich_help_panel="People")
def erase(
    actor: Actor,
    person: Annotated[str | None, typer.Option(help="Random id of the person, as `find` prints it.")] = None,
    lead: Annotated[str | None, typer.Option(help="Or the id of one of the person's leads.")] = None,
    reason: Annotated[str, typer.Option(help="One word that the log keeps.")] = "subject_request",
    lang: Lang = Language.EN,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only what would be destroyed is shown.")] = False,
) -> None:
    """Destroy one person's key: nobody, we included, can read who it was. Shows what would go; does it with `--yes`.

    What happened stays provable: `trace` works on.
    """
    refused = False
    with house() as opened:
        ids = [person] if person else opened.persons(lead_id=lead) if lead else []
        if not ids:
            raise ConfigurationError("nobody", "name a person or a lead that exists", field="--person, --lead")
        for each in ids:
            state = opened.state_of_person(each)
            if state is None:
                raise ConfigurationError("unknown_person", "nobody ever had this id; `find` prints ids", field="--person")
            done = opened.erase(each, actor=actor, reason=reason, dry_run=not yes)
            refused = refused or bool(done.held)
            if done.held:
                screen.lines([of_destruction("held_back", lang, person=each, reasons=", ".join(done.held))])
            elif not yes and state is not PersonState.ERASED:
                screen.lines([phrase("would_erase", lang, person=each, leads=done.leads, suppressed=done.suppressed)])
            elif done.keys:
                screen.lines([phrase("erased", lang, **done.as_dict() | {"person": each})])
                screen.lines([phrase("stopped", lang, count=done.suppressed)])
            else:
                screen.lines([phrase("erased_before", lang, person=each)])
            screen.lines([_recipients("only_they", done.recipients, lang)])
    if refused:
        raise typer.Exit(1)


def _recipients(name: str, recipients: Sequence[str], language: Language) -> str:
    return phrase(name, language, names=", ".join(recipients)) if recipients else phrase("nobody_holds", language)
