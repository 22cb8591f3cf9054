"""Commands for the officer who runs a witness on a machine of their own. They need no leadgate.yaml and no ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from leadgate.cli.root import Json, app, screen

witness = typer.Typer(
    help=(
        "Watch somebody's log from a machine of your own: sign its checkpoints, and only while it does nothing but grow.\n\n"
        "The log's owner holds the log's key and could write a second history. They cannot make this witness sign it:"
        " it remembers the last checkpoint it signed, on disk, and refuses everything that does not extend it.\n\n"
        "1. `leadgate witness init --name witness.example.org/office` makes a key; give the printed line to the log's owner"
        " and to auditors.\n"
        "2. `leadgate witness trust KEY` with the log's key, compared with its owner by telephone or on paper.\n"
        "3. `leadgate witness run`, behind a TLS proxy if the log is on another machine.\n"
        "4. Keep a backup of the folder. Never run two witnesses from copies of it."
    ),
    no_args_is_help=True,
)
app.add_typer(witness, name="witness", rich_help_panel="Evidence")

Folder = Annotated[
    Path, typer.Option("--folder", envvar="LEADGATE_WITNESS", help="Where the witness keeps its key and memory.", metavar="DIR")
]
_HOME = Path("witness")


@witness.command("init")
def witness_init(
    name: Annotated[
        str, typer.Option(help="What it is called: an address of yours without https://, say witness.example.org/office.")
    ],
    folder: Folder = _HOME,
    *,
    post_quantum: Annotated[
        bool, typer.Option("--post-quantum", help="An ML-DSA-44 key; fewer tools read it than an Ed25519 one.")
    ] = False,
) -> None:
    """Make a key, an empty memory and the list of logs. Never overwrites. Prints the public key."""
    from leadgate.witness import Office  # noqa: PLC0415 - a web framework that other commands do not need

    key = Office(folder).create(name, post_quantum=post_quantum)
    screen.out.print(str(key), markup=False)
    screen.err.print("this line goes to the log's owner (leadgate.yaml, log.witnesses) and, by another way, to auditors")


@witness.command("trust")
def witness_trust(
    key: Annotated[str, typer.Argument(help="The log's public key, as `leadgate log keys` prints it.", metavar="KEY")],
    folder: Folder = _HOME,
) -> None:
    """Watch a log. Compare the key with its owner by another way first; restart the witness afterwards."""
    from leadgate.witness import Office  # noqa: PLC0415 - as above

    found = Office(folder).trust(key)
    screen.out.print(f"watched from the next start on: {found.name}", markup=False)


@witness.command("run")
def witness_run(
    folder: Folder = _HOME,
    host: Annotated[
        str, typer.Option(help="Address to listen on; put a TLS proxy before anything but loopback.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8089,
) -> None:
    """Answer logs until Ctrl-C: `POST /add-checkpoint` signs, `GET /HASH/checkpoint` shows the last one signed of a log."""
    from leadgate.witness import Office, create_app, serve  # noqa: PLC0415 - as above

    office = Office(folder)
    state = office.state()
    try:
        watching = office.witness(state, clock=lambda: datetime.now(UTC))
        if not watching.origins:
            screen.err.print("it watches no log yet: leadgate witness trust KEY")

        def started(address: str, bound: int) -> None:
            screen.out.print(f"http://{address}:{bound}", markup=False)
            screen.out.file.flush()

        serve(create_app(watching), host, port, on_started=started)
    finally:
        state.close()


@witness.command("show")
def witness_show(folder: Folder = _HOME, *, as_json: Json = False) -> None:
    """Print the public key, and the last checkpoint it signed of each log."""
    from leadgate.witness import Office  # noqa: PLC0415 - as above

    office = Office(folder)
    key = office.signer().verifier
    state = office.state()
    try:
        last = state.all()
    finally:
        state.close()
    watched = {origin: last.get(origin) for origin in sorted({*office.logs(), *last})}
    if as_json:
        screen.document(
            {
                "key": str(key),
                "logs": {
                    origin: {"size": one.size, "root": one.root.hex(), "cosigned_at": _moment(one.cosigned_at)} if one else None
                    for origin, one in watched.items()
                },
            }
        )
        return
    screen.out.print(str(key), markup=False)
    for origin, one in watched.items():
        said = f"{one.size} leaves, signed {_moment(one.cosigned_at)}" if one else "nothing signed yet"
        screen.out.print(f"{origin}: {said}; /{sha256(origin.encode()).hexdigest()}/checkpoint", markup=False)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
