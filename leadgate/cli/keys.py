"""Commands that rotate keys. They refuse to destroy a version while anything hangs on it, and show first what they would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer

from leadgate.cli.operate import keys
from leadgate.cli.root import Actor, Json, Lang, screen
from leadgate.cli.root import ledger_house as house
from leadgate.phrases_keys import KEY_PHRASES
from leadgate.pipeline.rotate import KeyStatus
from leadgate.rendering import Sheet
from schemas.vocabulary import Language

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this only what would be done is shown.")]


def _say(name: str, language: Language, **gaps: object) -> str:
    return KEY_PHRASES[name].in_(language).format(**gaps)


@contextmanager
def _progress(name: str, language: Language) -> Iterator[Callable[[int], None]]:
    with screen.working(_say(name, language, count=0)) as status:
        yield lambda count: status.update(_say(name, language, count=count))


@keys.command("status")
def keys_status(lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Show the versions of the keyring, and how many rows still hang on each. Exit 1 while a rotation is unfinished."""
    with house() as opened, screen.working(_say("counting", lang)):
        status = opened.key_desk.status()
    if as_json:
        screen.document(status.as_dict())
    else:
        _show(status, lang)
    if any(status.old().values()) or status.announced is not None:
        raise typer.Exit(1)


def _show(status: KeyStatus, language: Language) -> None:
    sheet = Sheet(*(_say(name, language) for name in ("version", "state", "persons", "submissions", "indexes")))
    for version in sorted({*status.versions, *(key for each in status.counts.values() for key in each)}, reverse=True):
        state = "gone" if version not in status.versions else "current" if version == status.current else "old"
        if status.announced is not None and version == status.announced:
            state = "announced"
        people, indexes = (status.counts[table].get(version, 0) for table in ("person", "identifier"))
        counts = (people, _wrapped(status.counts, version) - people, indexes)
        sheet.add(str(version), _say(state, language), *(str(number) for number in counts))
    screen.out.print(sheet)
    if sum(status.counts["layered"].values()):
        screen.lines([_say("layered", language, count=sum(status.counts["layered"].values()))])
    if status.announced is not None:
        screen.lines([_say("unfinished", language)])
    elif any(status.old().values()):
        screen.lines([_say("next_rewrap", language, count=sum(status.old().values()))])
    elif len(status.versions) > 1:
        screen.lines([_say("next_drop", language, version=status.versions[-1])])


def _wrapped(counts: Mapping[str, Mapping[int, int]], version: int) -> int:
    """How many keys are wrapped under a version: of people, submissions, acts and requests."""
    return sum(each.get(version, 0) for table, each in counts.items() if table not in {"identifier", "layered"})


@keys.command("rotate")
def keys_rotate(*, actor: Actor = "operator", yes: Yes = False, lang: Lang = Language.EN, as_json: Json = False) -> None:
    """Make a new key-encryption key current, while everything runs. Goes on with a rotation that was interrupted.

    Nothing needs a restart: whoever writes asks the ledger, and reads the keyring again. Then run `rewrap` and `reindex`.
    """
    with house() as opened:
        if not yes:
            status = opened.key_desk.status()
            new = status.announced or status.versions[0] + 1
            _answer({"current": status.current, "new": new, "done": False}, "would_rotate", lang, as_json=as_json)
            return
        before, now = opened.key_desk.rotate(actor=actor)
    _answer({"before": before, "current": now, "done": True}, "rotated", lang, as_json=as_json)


@keys.command("rewrap")
def keys_rewrap(*, actor: Actor = "operator", yes: Yes = False, lang: Lang = Language.EN, as_json: Json = False) -> None:
    """Wrap every data key under the current version, a page at a time. Kill it when you like, and run it again."""
    with house() as opened:
        if not yes:
            old = opened.key_desk.status().old()
            count = sum(number for table, number in old.items() if table != "identifier")
            _answer({"keys": count, "done": False}, "would_rewrap", lang, as_json=as_json)
            return
        with _progress("rewrapping", lang) as progress:
            done = opened.key_desk.rewrap(actor=actor, progress=progress)
    told = {
        **done.as_dict(), "count": sum(done.rewrapped.values()), "left_over": sum(done.left.values()), "done": True,
    }  # fmt: skip
    _answer(told, "rewrapped", lang, as_json=as_json)
    if any(done.broken.values()):
        screen.err.print(_say("broken", lang, count=sum(done.broken.values())), markup=False)
        raise typer.Exit(1)


@keys.command("reindex")
def keys_reindex(*, actor: Actor = "operator", yes: Yes = False, lang: Lang = Language.EN, as_json: Json = False) -> None:
    """Make what people are found by anew under the current version. Nobody who withdrew is forgotten by it."""
    with house() as opened:
        if not yes:
            count = opened.key_desk.status().old()["identifier"]
            _answer({"identifier": count, "done": False}, "would_reindex", lang, as_json=as_json)
            return
        with _progress("reindexing", lang) as progress:
            done = opened.key_desk.reindex(actor=actor, progress=progress)
    _answer({**done.as_dict(), "done": True}, "reindexed", lang, as_json=as_json)


@keys.command("drop")
def keys_drop(
    version: Annotated[int, typer.Argument(help="The oldest version, as `status` shows it.")],
    *,
    actor: Actor = "operator",
    yes: Yes = False,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """Destroy an old version for ever. Refused while any row hangs on it, or a delivery that is on its way may need it."""
    with house() as opened:
        opened.key_desk.drop(version, actor=actor, dry_run=not yes)
    _answer({"version": version, "done": yes}, "dropped" if yes else "would_drop", lang, as_json=as_json)


def _answer(told: dict[str, object], name: str, language: Language, *, as_json: bool) -> None:
    if as_json:
        screen.document(told)
    else:
        screen.lines([_say(name, language, **told)])
