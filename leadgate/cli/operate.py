"""Commands for whoever installs and runs it: keys, ledger, connections, the services."""

from __future__ import annotations

import signal
from typing import Annotated

import typer
from rich.table import Table

from integrations.contract.destination import Health
from leadgate.cli.root import app, house, screen
from schemas.errors import ConfigurationError

keys = typer.Typer(help="The keyring that seals people, and the key that signs the log.", no_args_is_help=True)
ledger = typer.Typer(help="The database Leadgate remembers in.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel="Operate")
app.add_typer(ledger, name="ledger", rich_help_panel="Operate")


@keys.command("init")
def keys_init() -> None:
    """Make the keyring and the log's signing key, if missing. Never overwrites one; back both up, apart from the data."""
    from leadgate.wiring.keys import create_keys  # noqa: PLC0415 - only here

    with house() as opened:
        public, made = create_keys(opened.settings, clock=opened.clock)
        screen.out.print(f"made: {', '.join(made) or 'nothing, both are there'}")
        screen.out.print(f"the log's public key, for auditors: {public}", markup=False)


@keys.command("show")
def keys_show() -> None:
    """Print the log's public key and the versions of the keyring; never a secret."""
    with house() as opened:
        screen.out.print(str(opened.log_key.verifier), markup=False)
        versions = ", ".join(str(each) for each in opened.keys.versions)
        screen.out.print(f"keyring versions: {versions}; current: {opened.keys.current_version}")


@ledger.command("upgrade")
def ledger_upgrade() -> None:
    """Make the ledger, or bring an older one up to date. Safe to run twice."""
    with house() as opened:
        before, after = opened.upgrade()
        screen.out.print(f"ledger version {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@app.command(rich_help_panel="Operate")
def check(destinations: Annotated[list[str] | None, typer.Argument(help="Names; all if none is named.")] = None) -> None:
    """Sign in at each destination and look, without writing. Exit 1 if one of them does not answer well."""
    with house() as opened:
        table = Table("destination", "", "what it says", "what to do")
        healthy = True
        for name in destinations or sorted(opened.settings.destinations):
            try:
                health = opened.check(name)
            except ConfigurationError as error:  # this destination's alone: the others are looked at all the same
                health = Health(ok=False, message=error.diagnostics())
            healthy &= health.ok
            table.add_row(name, "ok" if health.ok else "FAILED", health.message, health.advice)
        screen.out.print(table)
    if not healthy:
        raise typer.Exit(1)


@app.command(rich_help_panel="Operate")
def intake(
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before anything but loopback.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8088,
) -> None:
    """Run the service that moderation tools and platforms post to. Answers 2xx only after the commit."""
    from leadgate.intake import create_app, serve  # noqa: PLC0415 - a web framework that other commands do not need

    with house() as opened:
        sources = opened.webhook_sources()
        service = create_app(sources, opened.receiver.commit, clock=opened.clock, probe=opened.receiver.probe)
        for name in sources:
            screen.err.print(f"POST http://{host}:{port}/hooks/{name}", markup=False)
        serve(service, host, port)


@app.command(rich_help_panel="Operate")
def promise() -> None:
    """Show the oldest lead that still waits, against the promised time. Exit 1 if the promise is at risk or broken."""
    with house() as opened:
        now = opened.promise()
        if now.waiting_id is None:
            screen.out.print("nothing waits")
        else:
            screen.out.print(f"{now.state}: {now.kind} {now.waiting_id} waits for {int(now.age.total_seconds())} s")
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
    with Stack(folder=folder, airflow_home=CHECKOUT, tell=tell) as stack:
        stack.start(airflow_port=port, intake_port=intake_port)
        tell(f"Airflow  {stack.airflow.url}  user engineer, password {stack.airflow.password()}")
        tell(f"intake   {stack.intake_url}/hooks/SOURCE")
        tell("Ctrl-C ends it")
        signal.pause()


@app.command(rich_help_panel="Try it")
def sandbox(
    stands: Annotated[
        list[str] | None, typer.Argument(help="`[name=]simulator[:port[:control port]]`; one of each kind if none is named.")
    ] = None,
) -> None:
    """Run simulated call centers and CRMs with failure knobs, until Ctrl-C. Prints their addresses and invented credentials."""
    from integrations.testing import sandbox as simulated  # noqa: PLC0415 - only here

    raise typer.Exit(simulated.main(stands or []))


@app.command(rich_help_panel="Try it")
def demo(
    port: Annotated[int | None, typer.Option(help="Port of Airflow's UI; a free one if none is named.")] = None,
    *,
    oneshot: Annotated[bool, typer.Option("--oneshot", help="End by itself; exit 0 only if every check is good.")] = False,
) -> None:
    """Run the whole house on this machine with invented people: sandbox, intake, Airflow. Stays up until Ctrl-C."""
    from leadgate.demo.show import run  # noqa: PLC0415 - starts servers, imports much

    raise typer.Exit(run(oneshot=oneshot, port=port, console=screen.out))
