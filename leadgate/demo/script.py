"""The script: what the demo feeds in, by which door, and what goes wrong meanwhile. Everybody in it is invented.

Good leads and bad ones, Russian and English, as files (JSON Lines, a CSV in CP1251) and over webhooks; people who took consent
back, people who asked twice, countries nobody serves. One destination throttles, one loses an answer after it took the batch,
one refuses single records.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook

from integrations.testing.invented_leads import Flaw, Invented, InventedLeads
from integrations.testing.knobs import Fault, FaultKind
from leadgate.demo.stage import WEBHOOKS, Stage
from schemas.vocabulary import Channel

#: Leads in each file and over each webhook.
_IN_FILE, _BY_WEBHOOK = 140, 12
#: Share of file rows with a flaw.
_FLAWED = 0.15
#: Numbers of invented people: files from 0, webhooks from here, so that nobody asks twice by accident.
_WEBHOOK_PEOPLE, _VK_PEOPLE = 5_000, 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What went in: ``submissions`` is what the inbox must come to; ``repeated`` posts must not count."""

    submissions: int
    repeated: int
    files: int


def misbehave(stage: Stage) -> list[str]:
    """Turn the simulators' knobs; answer what was done, in words."""
    knobs = {name: server.simulator.knobs for name, server in stage.sandbox.servers.items()}
    knobs["lada_crm"].set(Fault(kind=FaultKind.THROTTLE, times=2, status=429, retry_after="2"))
    knobs["lada_call_center"].set(Fault(kind=FaultKind.TAKE_THEN_REFUSE, times=1, status=503))
    knobs["s7_call_center"].set(Fault(kind=FaultKind.PARTIAL, every=20, code="INVALID_PHONE"))
    return [
        "lada_crm throttles twice (429, Retry-After: 2)",
        "lada_call_center takes one whole batch and answers 503: the answer is lost",
        "s7_call_center rejects every twentieth record",
    ]


def feed(stage: Stage, now: datetime) -> Fed:
    """Hand everything in."""
    invented = InventedLeads(stage.house.policies, now=now, seed=2026)
    rows = _files(stage, invented)
    posted, repeated = _webhooks(stage, invented)
    return Fed(submissions=rows + posted + _vk(stage, now), repeated=repeated, files=2)


# -- files --------------------------------------------------------------------------------------------------------------------


def _files(stage: Stage, invented: InventedLeads) -> int:
    lada = list(invented.many(_IN_FILE, brand="lada", flawed=_FLAWED))
    lada += [invented.again(each, channel=Channel.INSTAGRAM) for each in lada[:5] if each.flaw is None]
    # a CSV can hold any document that is one, so only flaws of content
    s7 = [each for each in invented.many(_IN_FILE, start=1_000, brand="s7", flawed=_FLAWED) if each.flaw not in _NOT_IN_CSV]
    _drop(stage, "lada_export", "moderation-ночь.jsonl", b"\n".join(each.body for each in lada) + b"\n")
    _drop(stage, "s7_export", "moderation-night.csv", _csv(each.document for each in s7))
    return len(lada) + len(s7)


_NOT_IN_CSV = frozenset({Flaw.BROKEN_JSON, Flaw.NOT_AN_OBJECT, Flaw.UNKNOWN_KEY})


def _drop(stage: Stage, source: str, name: str, content: bytes) -> None:
    """As a careful sender does it: under another name first."""
    place = stage.house.settings.sources[source].inbox
    folder = Path(place or "")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{name}.part"
    unfinished.write_bytes(content)
    unfinished.rename(folder / name)


def _csv(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """In CP1251 with semicolons, as Excel in Russia writes it; emoji have no place there."""
    flat = [dict(_flat(document)) for document in documents]
    columns = sorted({name for row in flat for name in row})
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter=";")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().encode("cp1251", "ignore")


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ";".join(value) if isinstance(value, list) else str(value)


# -- webhooks -----------------------------------------------------------------------------------------------------------------


def _webhooks(stage: Stage, invented: InventedLeads) -> tuple[int, int]:
    posted = 0
    with httpx.Client(base_url=stage.intake_url, timeout=30) as client:
        for source, brand in (("lada_webhook", "lada"), ("s7_webhook", "s7")):
            leads = list(invented.many(_BY_WEBHOOK, start=_WEBHOOK_PEOPLE + 100 * posted, brand=brand))
            regret = leads.pop()
            # the withdrawal overtakes the lead: the lead must be refused when it comes
            for each in (invented.withdrawal(regret), regret, *leads):
                _post(client, source, each)
                posted += 1
            for each in leads[:3]:
                _post(client, source, each)  # the sender never got our answer and tries again
    return posted, 6


def _post(client: httpx.Client, source: str, lead: Invented) -> None:
    _, secret = WEBHOOKS[source]
    body = lead.body.decode()
    moment = datetime.now().astimezone()
    headers = {
        "content-type": "application/json",
        "webhook-id": lead.event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(lead.event_id, moment, body),
    }
    client.post(f"/hooks/{source}", content=body.encode(), headers=headers).raise_for_status()


# -- VK ----------------------------------------------------------------------------------------------------------------------


def _vk(stage: Stage, now: datetime) -> int:
    """A lead form somebody filled in, and somebody who forbids messages."""
    _, secret = WEBHOOKS["lada_vk"]
    group = int(stage.house.settings.sources["lada_vk"].settings.options["group_id"])
    user = 990_000_000 + _VK_PEOPLE
    answers = {
        "first_name": "Проба", "last_name": "Ненастоящая",
        "phone_number": f"+7900000{_VK_PEOPLE:04d}", "email": "vk@example.org",
        "model": "Niva", "comment": "Перезвоните, пожалуйста 🙂", "consent": "Согласна",
    }  # fmt: skip
    lead = {
        "lead_id": 1, "group_id": group, "user_id": user, "form_id": 501, "form_name": "Цена", "ad_id": 0,
        "answers": [{"key": key, "question": key, "answer": answer} for key, answer in answers.items()],
    }  # fmt: skip
    events = [("lead_forms_new", lead), ("message_deny", {"user_id": user + 1})]
    with httpx.Client(base_url=stage.intake_url, timeout=30) as client:
        for kind, body in events:
            event = {"type": kind, "object": body, "group_id": group, "v": "5.199", "secret": secret}
            event["event_id"] = f"{kind}-{int(now.timestamp())}"
            answer = client.post("/hooks/lada_vk", content=json.dumps(event), headers={"content-type": "application/json"})
            answer.raise_for_status()
    return len(events)
