"""Commands about one person, for officers and moderators.

Identifiers are typed at a prompt or piped in, never an argument: arguments stand in process lists and shell histories.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from leadgate.cli.root import Actor, app, house, screen
from leadgate.rendering import counts_line
from leadgate.wiring import House
from schemas.contact import email_or_none, phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal

Brand = Annotated[str, typer.Option(help="The brand the person wrote to, as in leadgate.yaml.")]


@app.command(name="withdraw", rich_help_panel="People")
def withdraw_consent(
    brand: Brand,
    actor: Actor,
    purpose: Annotated[list[str] | None, typer.Option(help="Only this purpose; all of them if none is named.")] = None,
) -> None:
    """Record that a person takes consent back. Asks for a phone or an e-mail; what waits for the person stops at once."""
    with house() as opened:
        withdrawal = _ask(opened, brand, tuple(purpose or ()))
        done = opened.withdraw(withdrawal, actor=actor)
        screen.out.print(f"recorded; {done.suppressed} deliveries stopped")
        if done.recipients:
            screen.out.print(f"these hold the lead and must be told: {', '.join(done.recipients)}")


@app.command(rich_help_panel="People")
def find(brand: Brand) -> None:
    """Find the random id of a person by phone or e-mail, for `erase`. Asks for the identifier; prints ids only."""
    with house() as opened:
        ids = opened.persons(withdrawal=_ask(opened, brand, ()))
        screen.out.print("\n".join(ids) if ids else "nobody is known under it")


@app.command(rich_help_panel="People")
def erase(
    actor: Actor,
    person: Annotated[str | None, typer.Option(help="Random id of the person, as `find` prints it.")] = None,
    lead: Annotated[str | None, typer.Option(help="Or the id of one of the person's leads.")] = None,
    reason: Annotated[str, typer.Option(help="One word that the log keeps.")] = "subject_request",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only what would be destroyed is shown.")] = False,
) -> None:
    """Destroy one person's key: nobody, we included, can read who it was. Shows what would go; does it with `--yes`.

    What happened stays provable: `trace` works on.
    """
    with house() as opened:
        ids = [person] if person else opened.persons(lead_id=lead) if lead else []
        if not ids:
            raise ConfigurationError("nobody", "name a person or a lead that exists", field="--person, --lead")
        for each in ids:
            done = opened.erase(each, actor=actor, reason=reason, dry_run=not yes)
            screen.out.print(counts_line("destroyed" if yes else "would destroy", done.counts()))
            if done.recipients:
                screen.out.print(f"only they can destroy their copy: {', '.join(done.recipients)}")


@app.command(rich_help_panel="People")
def retention(
    *,
    actor: Actor = "system",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is a dry run.")] = False,
) -> None:
    """Say what is due for destruction and why; destroy it with `--yes`."""
    with house() as opened:
        count = opened.apply_retention(dry_run=not yes, actor=actor)
        for what, number in sorted(count.counts.items()):
            screen.out.print(f"{number:>8}  {what}")
        screen.out.print(f"{count.destroyed} destroyed" if yes else "dry run: nothing was destroyed")
        if count.next_due_at:
            screen.out.print(f"next due {count.next_due_at:%Y-%m-%d %H:%M} UTC")


def _ask(opened: House, brand: str, purposes: tuple[str, ...]) -> Withdrawal:
    settings = opened.settings.brands.get(brand)
    if settings is None:
        raise ConfigurationError("unknown_brand", "leadgate.yaml has no such brand", field="--brand")
    text = (typer.prompt("phone or e-mail", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if "@" in text:
        email = email_or_none(text)
        if email is None:
            raise ConfigurationError("bad_email", "this is no e-mail address", field="standard input")
        return Withdrawal(brand=brand, email=Personal(email), purposes=purposes)
    phone = phone_or_none(text, settings.default_region)
    if phone is None:
        raise ConfigurationError("bad_phone", "this is no phone number; write it with its country", field="standard input")
    return Withdrawal(brand=brand, phone=Personal(phone), purposes=purposes)
