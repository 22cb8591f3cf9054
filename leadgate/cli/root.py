"""What every command shares: the root with its options, the house, and where words are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from leadgate.logging import configure
from leadgate.wiring import House, open_house

app = typer.Typer(
    name="leadgate",
    help="Carries consented leads from moderation into call centers and CRMs, and can prove it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Start with `leadgate sandbox` to try everything against simulators, or `make demo` to watch it run in Airflow.",
)


@dataclass(slots=True)
class Screen:
    """Where commands write. ``language`` is en or ru, for what officers read."""

    out: Console
    err: Console
    language: str = "en"
    config: Path | None = None


screen = Screen(out=Console(highlight=False, soft_wrap=True), err=Console(stderr=True, highlight=False, soft_wrap=True))

Lang = Annotated[str, typer.Option("--lang", help="Language of the report: `en` or `ru`.", metavar="en|ru")]
Actor = Annotated[
    str,
    typer.Option("--actor", help="Who does this: a staff reference that the log keeps (no name, no e-mail).", metavar="REF"),
]


@app.callback()
def _root(
    config: Annotated[
        Path | None, typer.Option(help="The configuration; LEADGATE_CONFIG, else ./leadgate.yaml.", metavar="FILE")
    ] = None,
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, as JSON lines on standard error.")
    ] = False,
) -> None:
    screen.config = config
    configure(level="INFO" if verbose else "WARNING")


@contextmanager
def house() -> Iterator[House]:
    """The house for one command."""
    with open_house(config=screen.config) as opened:
        yield opened


def language(word: str) -> str:
    """``en`` or ``ru``. Raises typer.BadParameter for others."""
    if word not in {"en", "ru"}:
        raise typer.BadParameter("say en or ru", param_hint="--lang")
    return word
