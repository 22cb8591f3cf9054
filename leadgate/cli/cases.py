"""Commands about what data subjects ask for: access, rectification, erasure, objection, restriction.

The same is said whether the person is known or not: whoever stands beside the officer learns nothing from the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leadgate.case_phrases import sentence
from leadgate.cli.asking import identifier, moment, unseen
from leadgate.cli.clocks import local
from leadgate.cli.root import Actor, Json, Lang, app, screen
from leadgate.cli.root import ledger_house as house
from leadgate.pipeline.case_file import Asked
from leadgate.pipeline.case_steps import How, Preview
from leadgate.rendering import Sheet
from leadgate.wiring import House
from schemas.cases import CaseKind, CaseStepName, StepState, SubjectCase
from schemas.clocks import Clock
from schemas.errors import ConfigurationError
from schemas.field_reader import correctable, read_field
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Language
from schemas.words import say
from schemas.words.cases import CASE_KINDS, CASE_STATES, CASE_STEPS, CLOCK_KINDS, STEP_STATES

request = typer.Typer(
    help="What a data subject asks for, as a case: a clock, steps, an answer. `open`, then `step` until it says `close`.",
    no_args_is_help=True,
)
app.add_typer(request, name="request", rich_help_panel="People")

Case = Annotated[str, typer.Argument(metavar="CASE", help="Id of the request, as `open` and `list` print it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this only what would happen is shown.")]
Reference = Annotated[
    str | None, typer.Option("--reference", help="Register number of the message that went out; one word, never its text.")
]


@request.command("open")
def open_request(
    kind: Annotated[CaseKind, typer.Option(help="What is asked for.")],
    brand: Annotated[str, typer.Option(help="The brand the person wrote to, as in leadgate.yaml.")],
    actor: Actor,
    *,
    received_at: Annotated[
        str | None, typer.Option(help="When it came in, with its offset; now if not said. The clocks count from it.")
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="Objection: only this purpose; all if none is named.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Rectification: a field that is wrong; its right value is asked for.")
    ] = None,
    lead: Annotated[list[str] | None, typer.Option(help="Rectification: only this lead; all if none is named.")] = None,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """Record a request and start its clocks. Asks for a phone or an e-mail, and for right values: never on the command line.

    What is typed is asked for in this order: the identifier, then one value for each `--set`, in the order they are named.
    """
    names = tuple(set_ or ())
    if (kind is CaseKind.RECTIFICATION) != bool(names):
        raise ConfigurationError("what_to_set", "rectification, and only it, says which field is wrong", field="--set")
    with house() as opened:
        who = identifier(opened, brand, tuple(purpose or ()), lang)
        policy = opened.policies[brand]
        if not policy.purposes.keys() >= set(who.purposes):
            raise ConfigurationError("unknown_purpose", "leadgate.yaml has no such purpose of this brand", field="--purpose")
        asked = Asked(
            kind=kind,
            who=who,
            received_at=moment(received_at, otherwise=opened.clock(), option="--received-at"),
            values=_values(policy, names, lang),
            names=tuple(sorted(names)),
            leads=tuple(lead or ()),
        )
        case, started = opened.requests.open(asked, owner=actor)
        if as_json:
            screen.document({"case": case.case_id, "kind": case.kind.value, "clocks": [_clock(each) for each in started]})
        else:
            _said_opened(case, started, policy, lang)


@request.command("list")
def list_requests(
    *,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too, the newest first.")] = False,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 200,
    lang: Lang = Language.EN,
    as_json: Json = False,
) -> None:
    """List open requests, the oldest first."""
    with house() as opened:
        found = opened.requests.cases.listed(closed=every, limit=limit)
        if as_json:
            screen.document([_facts(each) for each in found])
        elif not found:
            screen.lines([sentence("no_requests", lang)])
        else:
            sheet = Sheet(
                *(sentence(name, lang) for name in ("request", "kind", "brand", "owner", "received", "state", "next"))
            )
            for each in found:
                sheet.add(
                    each.case_id,
                    say(CASE_KINDS, each.kind, lang),
                    each.brand,
                    each.owner,
                    local(each.received_at, _zone(opened, each.brand)),
                    say(CASE_STATES, each.state, lang),
                    _next(each, lang),
                )
            screen.out.print(sheet)


@request.command("show")
def show_request(case_id: Case, lang: Lang = Language.EN, *, as_json: Json = False) -> None:
    """Say how one request stands: its people by id, its steps, what they came to."""
    with house() as opened:
        case = opened.requests.cases.show(case_id)
        if as_json:
            screen.document(_facts(case))
            return
        screen.lines(
            [
                sentence(
                    "line_case", lang, case=case.case_id, kind=say(CASE_KINDS, case.kind, lang),
                    state=say(CASE_STATES, case.state, lang),
                ),
                sentence("line_owner", lang, owner=case.owner, received=local(case.received_at, _zone(opened, case.brand))),
                sentence("line_policy", lang, policy=case.policy_version, where=case.jurisdiction),
                sentence("line_persons", lang, persons=", ".join(case.person_ids) or sentence("nobody", lang)),
                *(
                    sentence(
                        "line_step", lang, place=each.place + 1, step=say(CASE_STEPS, each.name, lang),
                        state=say(STEP_STATES, each.state, lang), more=_result(each.result, each.reason),
                    ).rstrip()
                    for each in case.steps
                ),
            ]
        )  # fmt: skip


@request.command("step")
def step_request(
    case_id: Case,
    actor: Actor,
    *,
    to: Annotated[
        Path | None, typer.Option("--to", help="Access: where the report goes; PATH.pdf and PATH.json are written, mode 0600.")
    ] = None,
    reference: Reference = None,
    report_lang: Annotated[Language, typer.Option(help="Access: language of the report.")] = Language.RU,
    lang: Lang = Language.EN,
    yes: Yes = False,
) -> None:
    """Say what the next step would do; do it with `--yes`. Safe to say again after a crash."""
    with house() as opened:
        if not yes:
            _said_preview(opened.requests.preview(case_id), lang)
            return
        how = How(actor=actor, target=to, reference=reference, language=report_lang)
        name, did = opened.requests.step(case_id, how)
        word = "did" if did.state is StepState.DONE else "waits"
        result, reason = _result(did.result, None), did.reason or ""
        screen.lines([sentence(word, lang, step=say(CASE_STEPS, name, lang), result=result, reason=reason).rstrip()])
        if name is CaseStepName.REPORT:
            screen.lines([sentence("written", lang, target=to)])
        if not any(each.state in {StepState.OPEN, StepState.WAITING} for each in opened.requests.cases.show(case_id).steps):
            screen.lines([sentence("all_done", lang, case=case_id)])


@request.command("told")
def told_request(
    case_id: Case,
    destination: Annotated[str, typer.Argument(help="The recipient that a person has told what is right.")],
    actor: Actor,
    how: Annotated[str, typer.Option(help="By which way, in one word: letter, telephone, a register number.")],
    lang: Lang = Language.EN,
) -> None:
    """Record that a person told a recipient of a correction, where this program cannot."""
    with house() as opened:
        count = opened.requests.corrections.told_by_hand(case_id, destination, how=how, actor=actor)
    screen.lines([sentence("told", lang, count=count)])


@request.command("close")
def close_request(case_id: Case, actor: Actor, lang: Lang = Language.EN, *, yes: Yes = False) -> None:
    """Close a request whose steps are all done. What was kept to go on with it is destroyed a term later."""
    with house() as opened:
        if not yes:
            opened.requests.cases.show(case_id)
            screen.lines([sentence("would_close", lang, case=case_id)])
            return
        _said_closed(opened.requests.cases.close(case_id, actor=actor), lang)


@request.command("refuse")
def refuse_request(
    case_id: Case,
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why, in one word that the log keeps.")],
    reference: Annotated[str, typer.Option(help="Register number of the message that told the person why.")],
    lang: Lang = Language.EN,
    *,
    yes: Yes = False,
) -> None:
    """End a request without doing what it asks; not once something irrevocable was done."""
    with house() as opened:
        if not yes:
            opened.requests.cases.show(case_id)
            screen.lines([sentence("would_refuse", lang, case=case_id)])
            return
        _said_closed(opened.requests.cases.refuse(case_id, reason=reason, reference=reference, actor=actor), lang)


@request.command("lift")
def lift_request(case_id: Case, actor: Actor, lang: Lang = Language.EN, *, yes: Yes = False) -> None:
    """Lift a restriction: what waited goes before the gate again, which decides anew."""
    with house() as opened:
        if not yes:
            opened.requests.cases.show(case_id)
            screen.lines([sentence("would_lift", lang, case=case_id)])
            return
        screen.lines([sentence("lifted", lang, count=opened.requests.lift(case_id, actor=actor))])


def _values(policy: BrandPolicy, names: Sequence[str], lang: Language) -> Personal[Mapping[str, str]]:
    found: dict[str, str] = {}
    for name in names:
        if name not in correctable(policy):
            known = ", ".join(correctable(policy))
            raise ConfigurationError("not_correctable", f"this field is not put right; these are: {known}", field="--set")
        read = read_field(policy, name, unseen(sentence("ask_value", lang, field=name)))
        if not isinstance(read, tuple):
            raise ConfigurationError("bad_value", read.hint or "is not valid", field=name)
        found[name] = read[0]
    return Personal(found)


def _said_opened(case: SubjectCase, started: Sequence[Clock], policy: BrandPolicy, lang: Language) -> None:
    zone = policy.clocks.calendar.zone
    screen.lines(
        [
            sentence("recorded", lang, case=case.case_id, kind=say(CASE_KINDS, case.kind, lang)),
            *(
                sentence("deadline", lang, what=say(CLOCK_KINDS, each.kind, lang), due=local(each.due_at, zone), law=each.law)
                for each in started
            ),
            sentence("steps_are", lang, steps=", ".join(say(CASE_STEPS, each.name, lang) for each in case.steps)),
            sentence("next_command", lang, case=case.case_id),
        ]
    )


def _said_preview(preview: Preview, lang: Language) -> None:
    screen.lines(
        [
            sentence("would", lang, step=say(CASE_STEPS, preview.step, lang)),
            *(sentence("would_line", lang, what=name, value=_value(value)) for name, value in preview.would.items()),
            sentence("dry", lang),
        ]
    )


def _said_closed(case: SubjectCase, lang: Language) -> None:
    screen.lines([sentence("closed", lang, case=case.case_id, state=say(CASE_STATES, case.state, lang))])


def _next(case: SubjectCase, lang: Language) -> str:
    step = next((each for each in case.steps if each.state in {StepState.OPEN, StepState.WAITING}), None)
    return (
        "-" if step is None or case.closed_at else f"{say(CASE_STEPS, step.name, lang)}: {say(STEP_STATES, step.state, lang)}"
    )


def _zone(opened: House, brand: str) -> str:
    policy = opened.policies.get(brand)
    return policy.clocks.calendar.zone if policy else "UTC"


def _value(value: object) -> str:
    return ", ".join(str(each) for each in value) or "-" if isinstance(value, (list, tuple)) else str(value)


def _result(result: Mapping[str, Any], reason: str | None) -> str:
    said = ", ".join(f"{name} {_value(value)}" for name, value in result.items())
    return f"[{reason}] {said}" if reason else said


def _clock(each: Clock) -> dict[str, str]:
    return {"clock": each.clock_id, "kind": each.kind.value, "due_at": each.due_at.isoformat(), "law": each.law}


def _facts(case: SubjectCase) -> dict[str, Any]:
    return {
        "case": case.case_id,
        "kind": case.kind.value,
        "brand": case.brand,
        "owner": case.owner,
        "state": case.state.value,
        "result": case.result,
        "policy_version": case.policy_version,
        "jurisdiction": case.jurisdiction,
        "received_at": case.received_at.isoformat(),
        "opened_at": case.opened_at.isoformat(),
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "persons": list(case.person_ids),
        "fields": list(case.fields),
        "purposes": list(case.purposes),
        "steps": [
            {
                "step": each.name.value,
                "state": each.state.value,
                "reason": each.reason,
                "result": dict(each.result),
                "attempts": each.attempt,
                "done_at": each.done_at.isoformat() if each.done_at else None,
            }
            for each in case.steps
        ],
    }
