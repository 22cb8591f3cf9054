"""What everybody in the throughput benchmark reads: an airline with one destination, and leads of people who do not exist."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from integrations.testing.invented_leads import RUSSIAN, InventedLeads
from leadgate.settings import load
from leadgate.wiring.credentials import environment_credentials
from leadgate.wiring.house import House

ROOT = Path(__file__).parent.parent


def write_settings(folder: Path) -> Path:
    """The airline of our own leadgate.yaml with one destination, so that each lead is one delivery."""
    settings = yaml.safe_load((ROOT / "leadgate.yaml").read_text())
    settings["brands"] = {"s7": settings["brands"]["s7"]}
    settings["sources"] = {"s7_export": settings["sources"]["s7_export"] | {"inbox": str(folder / "inbox")}}
    settings["destinations"] = {
        "s7_crm": {
            "connector": "json_crm",
            "connection": "bench_crm",
            "country": "RU",
            "purposes": {"s7": ["service_followup"]},
            "options": {"plain_http": True},
        }
    }
    path = folder / "leadgate.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
    shutil.copytree(ROOT / "notices", folder / "notices", dirs_exist_ok=True)
    return path


def write_leads(folder: Path, config: Path, count: int) -> tuple[Path, Path]:
    """(documents for Leadgate, flat records for the peers) of ``count`` different people.

    Phones that nobody has end with the ten thousandth; they are spread evenly, and the people between them have an e-mail
    address and a declared country.
    """
    with House(load(config, env={}), credentials=environment_credentials({})) as house:
        invented = InventedLeads(house.policies, now=datetime.now(UTC))
    documents, records = folder / "documents.jsonl", folder / "records.jsonl"
    with documents.open("w") as ours, records.open("w") as theirs:
        for number in range(count):
            lead = dict(invented.lead(number, brand="s7", purposes=["service_followup"]).document)
            lead |= {"email": f"nobody.{number}@example.org", "user": str(990_000_000 + number)}
            callable_one, phone = number * RUSSIAN // count, (number - 1) * RUSSIAN // count
            if count > RUSSIAN:
                del lead["phone"]
                lead |= {"phone": f"+7900000{callable_one:04d}"} if callable_one != phone else {"country": "RU"}
            ours.write(json.dumps(lead, ensure_ascii=False) + "\n")
            theirs.write(json.dumps(flat(number, lead), ensure_ascii=False) + "\n")
    return documents, records


def flat(number: int, lead: dict[str, Any]) -> dict[str, Any]:
    """The sixteen fields a customer card needs."""
    names = ("brand", "channel", "language", "given_name", "family_name", "phone", "email", "country", "city", "permalink")
    consent = lead["consent"]
    return {
        "external_id": f"{number:026d}",
        **{name: lead[name] for name in names if name in lead},
        "topic": lead["topic"]["code"],
        **lead["topic"]["fields"],
        "consent_id": f"01980000-0000-7000-8000-{number:012d}",
        "consent_given_at": consent["given_at"],
        "notice": f"{consent['notice_id']} {consent['notice_version']}",
    }
