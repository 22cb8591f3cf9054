"""Commands for whoever installs and runs it: keys, ledger, connections, the services."""

from __future__ import annotations

import shlex
import signal
import time
from typing import Annotated

import typer

from integrations.contract.destination import Health
from leadgate.cli.root import Json, Lang, app, house, ledger_house, refuse_second_ledger, screen
from leadgate.rendering import Sheet, promise_lines
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

#: Seconds between two looks at whether a component ended.
_WATCH_SECONDS = 5

keys = typer.Typer(help="The keyring that seals people, and the key that signs the log.", no_args_is_help=True)
ledger = typer.Typer(help="The database Leadgate remembers in.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel="Operate")
app.add_typer(ledger, name="ledger", rich_help_panel="Operate")


@keys.command("init")
def keys_init() -> None:
    """Make the keyring and the log's signing key, if missing. Never overwrites one; back both up, apart from the data."""
    from leadgate.wiring.keys import create_keys  # noqa: PLC0415 - only here

    with house() as opened:
        public, made = create_keys(opened.settings, clock=opened.clock, credentials=opened.credentials)
        screen.out.print(f"made: {', '.join(made) or 'nothing, both are there'}")
        screen.out.print(f"the log's public key, for auditors: {public}", markup=False)


@keys.command("show")
def keys_show() -> None:
    """Print the log's public keys and the versions of the keyring; never a secret."""
    with house() as opened:
        for signer in opened.log_keys:
            screen.out.print(str(signer.verifier), markup=False, soft_wrap=True)
        versions = ", ".join(str(each) for each in opened.keys.versions)
        screen.out.print(f"keyring versions: {versions}; current: {opened.keys.current_version}")


@ledger.command("upgrade")
def ledger_upgrade() -> None:
    """Make the ledger, or bring an older one up to date. Safe to run twice."""
    with house() as opened:
        refuse_second_ledger(opened)
        before, after = opened.upgrade()
        screen.out.print(f"ledger version {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@app.command(rich_help_panel="Operate")
def check(
    destinations: Annotated[list[str] | None, typer.Argument(help="Names; all if none is named.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Sign in at each destination and look, without writing. Exit 1 if one of them does not answer well."""
    found: dict[str, Health] = {}
    with house() as opened:
        for name in destinations or sorted(opened.settings.destinations):
            with screen.working(f"asking {name} ..."):
                try:
                    found[name] = opened.check(name)
                except ConfigurationError as error:  # this destination's alone: the others are looked at all the same
                    found[name] = Health(ok=False, message=error.diagnostics())
    if as_json:
        screen.document({name: {"ok": each.ok, "message": each.message, "advice": each.advice} for name, each in found.items()})
    else:
        sheet = Sheet("destination", "state", "what it says", "what to do")
        for name, health in found.items():
            sheet.add(name, "ok" if health.ok else "FAILED", health.message, health.advice)
        screen.out.print(sheet)
    if not all(health.ok for health in found.values()):
        raise typer.Exit(1)


@app.command(rich_help_panel="Operate")
def intake(
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before anything but loopback.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8088,
) -> None:
    """Run the service that moderation tools and platforms post to. Answers 2xx only after the commit.

    A source without a secret stays closed (503, come back) until you add it and start again; the others listen.
    """
    from leadgate.intake import create_app, serve  # noqa: PLC0415 - a web framework that other commands do not need

    with house() as opened:
        closed: dict[str, ConfigurationError] = {}
        sources = opened.webhook_sources(closed=closed)
        service = create_app(
            sources,
            opened.receiver.commit,
            clock=opened.clock,
            probe=opened.receiver.probe,
            closed=closed.keys(),
            clocks=opened.clocks.counts,
        )
        for name in sources:
            screen.err.print(f"POST http://{host}:{port}/hooks/{name}", markup=False)
        for name, error in closed.items():
            screen.err.print(f"CLOSED {name}, its senders are told to come back: {error.diagnostics()}", markup=False)
        serve(service, host, port)


@app.command(rich_help_panel="Operate")
def promise(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Show the oldest lead that still waits, against the promised time. Exit 1 if the promise is at risk or broken."""
    with ledger_house() as opened:
        now = opened.promise()
    if as_json:
        screen.document(now.as_dict())
    else:
        screen.lines(promise_lines(now, lang))
    if now.state != "kept":
        raise typer.Exit(1)


@app.command(rich_help_panel="Operate")
def up(
    port: Annotated[int, typer.Option(help="Port of Airflow's UI.")] = 8080,
    intake_port: Annotated[int, typer.Option(help="Port of the intake service.")] = 8088,
) -> None:
    """Run a whole installation on this machine: Postgres, ledger, intake, Airflow. Data stay in .leadgate; Ctrl-C ends it."""
    from leadgate.airflow.components import CHECKOUT  # noqa: PLC0415 - starts servers, imports much
    from leadgate.stack import Stack  # noqa: PLC0415 - as above

    def tell(what: str) -> None:
        screen.err.print(what, markup=False)

    with house() as opened:
        folder = opened.settings.state
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is our Ctrl-C
    with Stack(folder=folder, airflow_home=CHECKOUT, tell=tell) as stack:
        stack.start(airflow_port=port, intake_port=intake_port, intake_required=False)
        tell(f"Airflow  {stack.airflow.url}  user engineer, password {stack.airflow.password()}")
        if stack.intake_url:
            tell(f"intake   {stack.intake_url}/hooks/SOURCE")
        tell("for other commands in another shell:")
        tell(f"export LEADGATE_DATABASE_URL='{stack.environment['LEADGATE_DATABASE_URL']}'")
        tell("Ctrl-C ends it")
        while True:
            time.sleep(_WATCH_SECONDS)
            for name in stack.airflow.revive():
                tell(f"{name} had ended and was started again")


@app.command(rich_help_panel="Try it")
def sandbox(
    stands: Annotated[
        list[str] | None, typer.Argument(help="`[name=]simulator[:port[:control port]]`; one of each kind if none is named.")
    ] = None,
    *,
    configured: Annotated[
        bool, typer.Option("--configured", help="One for each destination of leadgate.yaml; prints its AIRFLOW_CONN_ lines.")
    ] = False,
) -> None:
    """Run simulated call centers and CRMs with failure knobs, until Ctrl-C. Prints their addresses and invented credentials."""
    from integrations.testing import sandbox as simulated  # noqa: PLC0415 - only here

    if not configured:
        raise typer.Exit(simulated.main(stands or []))
    with house() as opened:
        known = opened.settings.destinations
    wanted = [
        simulated.Stand(simulator=each.connector, name=name, connection=each.connection)
        for name, each in known.items()
        if each.connector in simulated.simulators()
    ]
    with simulated.Sandbox(wanted) as running:
        for variable, value in running.environment().items():
            screen.out.print(f"export {variable}={shlex.quote(value)}", markup=False)
        screen.out.file.flush()
        screen.err.print("paste these lines into the shell that runs leadgate; Ctrl-C ends the sandbox", markup=False)
        signal.pause()


@app.command(rich_help_panel="Try it")
def demo(
    port: Annotated[int | None, typer.Option(help="Port of Airflow's UI; a free one if none is named.")] = None,
    *,
    oneshot: Annotated[bool, typer.Option("--oneshot", help="End by itself; exit 0 only if every check is good.")] = False,
) -> None:
    """Run the whole house on this machine with invented people: sandbox, intake, Airflow. Stays up until Ctrl-C."""
    from leadgate.demo.show import run  # noqa: PLC0415 - starts servers, imports much

    raise typer.Exit(run(oneshot=oneshot, port=port, console=screen.out))
