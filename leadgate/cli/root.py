"""What every command shares: the root with its options, the house, and where words are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status

from consent.audit.facts import is_actor
from leadgate.logging import configure
from leadgate.wiring import House, open_house
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

app = typer.Typer(
    name="leadgate",
    help="Carries consented leads from moderation into call centers and CRMs, and can prove it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Start with `leadgate sandbox` to try everything against simulators, or `make demo` to watch it run in Airflow.",
)


#: Columns of what is not a terminal: nothing is cut and nothing is broken over lines.
_PAPER = 100_000


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, soft_wrap=True, width=_PAPER)


@dataclass(slots=True)
class Screen:
    """Where commands write."""

    out: Console
    err: Console
    config: Path | None = None

    def lines(self, lines: Iterable[str]) -> None:
        """Plain lines, as they are."""
        for line in lines:
            self.out.print(line, markup=False)

    def document(self, document: Mapping[str, Any] | Sequence[Any]) -> None:
        """What ``--json`` prints: one document on one line, words of code untranslated."""
        self.out.file.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")

    @contextmanager
    def working(self, what: str) -> Iterator[Status]:
        """A sign of life on standard error while something long runs; nothing where nobody watches."""
        with self.err.status(what) as status:
            yield status


screen = Screen(out=_console(), err=_console(stderr=True))

Lang = Annotated[Language, typer.Option("--lang", envvar="LEADGATE_LANG", help="Language of the answer.")]
Json = Annotated[bool, typer.Option("--json", help="Answer one JSON document for scripts, in words of code.")]


def _reference(written: str) -> str:
    """Said before anything is done: the log would refuse it, and a refusal of the log sounds like damage."""
    if not is_actor(written):
        raise ConfigurationError("bad_actor", "write a staff reference, as officer-1: no name, no address", field="--actor")
    return written


Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        help="Who does this: a staff reference that the log keeps (no name, no e-mail).",
        metavar="REF",
        callback=_reference,
    ),
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


@contextmanager
def ledger_house() -> Iterator[House]:
    """The house for a command that reads or writes the ledger; says what to run if there is none yet."""
    with house() as opened:
        refuse_second_ledger(opened)
        file = _file(opened)
        if file is not None and not file.exists():
            raise ConfigurationError(
                "no_ledger", "there is no ledger here yet; run 'leadgate ledger upgrade' once", field="LEADGATE_DATABASE_URL"
            )
        yield opened


def refuse_second_ledger(opened: House) -> None:
    """Raise ConfigurationError if a command would look into an SQLite ledger beside the Postgres of `leadgate up`.

    An empty ledger balances: whoever looked there would be told that all is well.
    """
    state = opened.settings.state
    if _file(opened) == state / "ledger.db" and (state / "postgres").is_dir():
        raise ConfigurationError(
            "which_ledger",
            "the ledger here is the Postgres of 'leadgate up'; set the variable as that prints it at its start",
            field="LEADGATE_DATABASE_URL",
        )


def _file(opened: House) -> Path | None:
    _, on_disk, file = opened.settings.ledger_url.partition("sqlite:///")
    return Path(file) if on_disk else None
