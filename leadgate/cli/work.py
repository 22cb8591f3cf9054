"""Commands that move leads: what the DAGs do, by hand. Safe to run beside the scheduler: overlapping work is harmless."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.phrases import phrase
from leadgate.pipeline.admit import AdmitCount
from leadgate.pipeline.counts import DispatchCount
from leadgate.rendering import balance_table, counts_line, file_lines, plan_lines, quarantine_table
from leadgate.storage.clock import from_micros
from schemas.errors import ConfigurationError, DeliveryError, LeadgateError, StorageUnavailableError
from schemas.vocabulary import Language, SubmissionState

Seconds = Annotated[float, typer.Option(help="Stop after this many seconds, between two batches.")]
Send = Annotated[bool, typer.Option("--send", help="Send what is admitted at once, to destinations that are well.")]
Destinations = Annotated[
    list[str] | None, typer.Argument(help="Destination names; all that have something due, if none is named.")
]


@app.command(rich_help_panel="Work")
def collect() -> None:
    """Pick up finished files from the inbox folders, each content once, and move them to `processed` or `rejected`.

    A file is named by the beginning of its digest, which stands in its new name. Exit 1 if one could not be taken nor moved.
    """
    with house() as opened, screen.working("picking up files ..."):
        result = opened.collect_files()
        screen.out.print(counts_line("collected", result.as_dict()))
        for line in file_lines(result.reports):
            screen.out.print(line, markup=False)
        if result.failed:
            raise typer.Exit(1)


@app.command(rich_help_panel="Work")
def admit(seconds: Seconds = 3600, *, send: Send = False) -> None:
    """Decide what waits in the inbox: admit, quarantine or refuse. What is admitted waits for `leadgate dispatch`.

    `accepted` counts what was sent with `--send` and has arrived; what could not go at once is queued.
    """
    with house() as opened, screen.err.status("admitting ...") as status:

        def show(count: AdmitCount) -> None:
            status.update(f"admitting ... {count.taken} decided")

        screen.out.print(counts_line("decided", opened.admit(seconds=seconds, send=send, progress=show).as_dict()))


@app.command(rich_help_panel="Work")
def dispatch(destinations: Destinations = None, seconds: Seconds = 3600) -> None:
    """Send what is due. One destination's trouble never delays another: each is tried, then the first error is told."""
    with house() as opened, screen.err.status("sending ...") as status:
        failed: LeadgateError | None = None
        names = destinations or opened.destinations()
        if not names:
            screen.out.print("nothing is due")
        for name in names:

            def show(count: DispatchCount, name: str = name) -> None:
                status.update(f"{name}: {count.accepted} accepted")

            try:
                screen.out.print(counts_line(name, opened.dispatch(name, seconds=seconds, progress=show).as_dict()))
            except StorageUnavailableError:
                raise  # the ledger is everybody's
            except (DeliveryError, ConfigurationError) as error:
                screen.err.print(f"{name}: {error.diagnostics()}", markup=False)
                failed = failed or error
        if failed is not None:
            raise failed


@app.command(rich_help_panel="Work")
def plan(destinations: Destinations = None, lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Dry run of `dispatch`: what would be sent, which fields, what the gate would stop. Claims, opens and sends nothing."""
    with house() as opened, screen.working("looking ..."):
        plans = [opened.plan(name) for name in destinations or sorted(opened.settings.destinations)]
    if as_json:
        screen.document([asdict(each) for each in plans])
    else:
        screen.lines(plan_lines(plans, lang))


@app.command(rich_help_panel="Work")
def balance(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Print the balance: received = admitted + quarantined + refused, one outcome a delivery. Exit 1 if it is open."""
    with house() as opened, screen.working("counting ..."):
        taken = opened.balance()
    if as_json:
        screen.document(asdict(taken) | {"promise": taken.promise.total_seconds(), "closes": taken.closes})
    else:
        screen.out.print(balance_table(taken, lang))
    if not taken.closes:
        raise typer.Exit(1)


@app.command(rich_help_panel="Work")
def quarantine(
    limit: Annotated[int, typer.Option(help="How many to list, oldest first.")] = 50,
    lang: Lang = Language.EN,
    *,
    refused: Annotated[bool, typer.Option("--refused", help="List instead what was refused and must not be used.")] = False,
    as_json: Json = False,
) -> None:
    """List what waits for a person to mend, and who mends it: id, source, event (in a file: digest and row), time, field."""
    state = SubmissionState.REFUSED if refused else SubmissionState.QUARANTINED
    with house() as opened:
        rows = opened.quarantined(limit, state)
    if as_json:
        screen.document([_aside(row) for row in rows])
    else:
        screen.out.print(quarantine_table(rows, lang))
        if len(rows) == limit:
            screen.err.print(phrase("listed", lang, shown=limit))


def _aside(row: tuple[str, str, str, int, str]) -> dict[str, object]:
    submission_id, source, event_id, received_at, findings = row
    moment = from_micros(received_at).isoformat()
    told = json.loads(findings or "[]")
    return {"submission": submission_id, "source": source, "event": event_id, "received_at": moment, "findings": told}


@app.command(rich_help_panel="Work")
def readmit(
    reason: Annotated[str | None, typer.Option(help="Only those with this reason, as `quarantine` prints it.")] = None,
    submission: Annotated[list[str] | None, typer.Option(help="Only these submissions.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only the number is shown.")] = False,
    actor: Actor = "operator",
) -> None:
    """Bring quarantined submissions before the gate again, after you mended the cause (say, a notice was missing)."""
    with house() as opened:
        found, moved = opened.readmit(reason=reason, submission_ids=submission, apply=yes, actor=actor)
        screen.out.print(f"{moved} back before the gate" if yes else f"{len(found)} would go back; --yes does it")


@app.command(rich_help_panel="Work")
def replay(
    destination: Annotated[str | None, typer.Option(help="Only dead letters of this destination.")] = None,
    delivery: Annotated[list[str] | None, typer.Option(help="Only these deliveries.")] = None,
    *,
    include_doubtful: Annotated[
        bool, typer.Option(help="Also those that may have arrived: the destination may end up with a double.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this only the list is shown.")] = False,
    actor: Actor = "operator",
) -> None:
    """Send dead letters again after you fixed the cause. Shows what would be replayed; does it with `--yes`."""
    with house() as opened:
        if destination is not None and destination not in opened.settings.destinations:
            known = ", ".join(sorted(opened.settings.destinations))
            raise ConfigurationError(
                "unknown_destination", f"leadgate.yaml has no such destination; it has {known}", field="--destination"
            )
        letters, held, moved = opened.replay(
            destination=destination, delivery_ids=delivery, include_doubtful=include_doubtful, apply=yes, actor=actor
        )
        for each in letters:
            screen.out.print(f"{each.delivery_id}  {each.destination}  {each.reason}", markup=False)
        if held:
            screen.out.print(f"{len(held)} held back: they may have arrived (--include-doubtful sends them all the same)")
        screen.out.print(f"{moved} replayed" if yes else f"{len(letters)} would be replayed; --yes does it")
