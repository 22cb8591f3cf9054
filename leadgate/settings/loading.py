"""Builds ``Settings`` from leadgate.yaml and the environment. It refuses a notice whose text is not the one that was pinned.

Environment: LEADGATE_CONFIG (the file), LEADGATE_STATE (folder of ledger and keys), LEADGATE_DATABASE_URL (ledger),
LEADGATE_KEYRING and LEADGATE_LOG_KEY (paths of the key files), LEADGATE_SHRED_LIST (path of the list of destroyed people).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from integrations.contract.source import SourceSettings
from leadgate.settings import terms
from leadgate.settings.clocks import KEEP_IDENTIFIERS, with_clocks
from leadgate.settings.destruction import destruction_settings
from leadgate.settings.document import read_document
from leadgate.settings.keys import analytics_settings, key_settings
from leadgate.settings.log import log_settings
from leadgate.settings.model import BrandSettings, DestinationSettings, Promise, Settings, SourceEntry
from leadgate.settings.problems import Problems
from schemas.policy import DeliveryRules, Notice, Purpose, RetentionRules, Topic
from schemas.settings_schema import check_settings
from schemas.vocabulary import Language

FILE_NAME: Final = "leadgate.yaml"
#: Bytes of a notice; a text nobody can read in a chat window informs nobody.
_LARGEST_NOTICE: Final = 64 * 1024
_DATABASES: Final = ("sqlite://", "sqlite+", "postgresql://", "postgresql+")


def load(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Read and check everything. Raises SettingsError, which holds every mistake."""
    environment = os.environ if env is None else env
    file = Path(path or environment.get("LEADGATE_CONFIG") or FILE_NAME).resolve()
    problems = Problems(file.name)
    document = read_document(file, problems)
    values, complaints = check_settings(document)
    for place, mend in complaints:
        problems.add(place, mend)
    problems.raise_if_any()
    brands = {name: _brand(name, brand, file.parent, problems) for name, brand in values["brands"].items()}
    brands = with_clocks(brands, values, problems)
    state = _path(environment, "LEADGATE_STATE", file.parent / ".leadgate", file.parent)
    keyring = _path(environment, "LEADGATE_KEYRING", state / "keyring.json", file.parent)
    ledger_url = environment.get("LEADGATE_DATABASE_URL") or f"sqlite:///{state / 'ledger.db'}"
    if not ledger_url.startswith(_DATABASES):
        problems.add_environment("LEADGATE_DATABASE_URL", "must begin with sqlite:// or postgresql://")
    problems.raise_if_any()
    return Settings(
        path=file,
        root=file.parent,
        state=state,
        tenant=values["tenant"],
        storage=terms.storage(values.get("storage")),
        promise=Promise(**values["promise"]),
        retention=RetentionRules(**values["retention"]),
        delivery=DeliveryRules(**values["delivery"]),
        log_origin=values["log"]["origin"],
        log=log_settings(values["log"], root=file.parent, state=state),
        brands=MappingProxyType(brands),
        sources=MappingProxyType({name: _source(name, source, file.parent) for name, source in values["sources"].items()}),
        destinations=MappingProxyType({name: _destination(name, one) for name, one in values["destinations"].items()}),
        ledger_url=ledger_url,
        keyring_path=keyring,
        log_key_path=_path(environment, "LEADGATE_LOG_KEY", state / "log.key", file.parent),
        destruction=destruction_settings(values["destruction"]),
        shred_list_path=_path(environment, "LEADGATE_SHRED_LIST", keyring.with_name("shred.list"), file.parent),
        keys=key_settings(values["keys"]),
        analytics=analytics_settings(values["analytics"]),
        keep_identifiers=values["clocks"].get("keep_identifiers", KEEP_IDENTIFIERS),
    )


def _path(env: Mapping[str, str], variable: str, default: Path, root: Path) -> Path:
    given = env.get(variable)
    return (root / given).resolve() if given else default


def _brand(name: str, values: Mapping[str, Any], root: Path, problems: Problems) -> BrandSettings:
    notices: dict[tuple[str, str, Language], Notice] = {}
    for place, notice in enumerate(values["notices"]):
        built = _notice(notice, root, problems, f"brands.{name}.notices[{place}]")
        notices[built.notice_id, built.version, built.language] = built
    return BrandSettings(
        brand=name,
        title=values["title"],
        home_country=values["home_country"],
        countries=frozenset(values["countries"]),
        default_region=values["default_region"],
        duplicate_window=values["duplicate_window"],
        purposes=MappingProxyType(
            {
                code: Purpose(
                    code=code,
                    title=MappingProxyType(purpose["title"]),
                    fields=frozenset(purpose["fields_"]),
                    recipients=frozenset(purpose["recipients"]),
                    valid_for=purpose["valid_for"],
                    marketing=purpose.get("marketing"),
                    category=purpose.get("category"),
                )
                for code, purpose in values["purposes"].items()
            }
        ),
        topics=MappingProxyType(
            {
                code: Topic(
                    code=code, fields=MappingProxyType({field: need == "required" for field, need in topic_fields.items()})
                )
                for code, topic_fields in values["topics"].items()
            }
        ),
        notices=MappingProxyType(notices),
        controller=terms.controller(values.get("controller")),
        cross_border=terms.cross_borders(values["cross_border"]),
        calling_windows=terms.calling_windows(values["calling_windows"]),
        one_purpose_from=MappingProxyType(values["one_purpose_from"]),
    )


def _notice(values: Mapping[str, Any], root: Path, problems: Problems, place: str) -> Notice:
    text = values["text"] if "text" in values else _read_text(root / values["text_file"], problems, f"{place}.text_file")
    digest = hashlib.sha256(text.encode()).hexdigest()
    if text and digest != values["text_sha256"]:
        problems.add(
            f"{place}.text_sha256",
            "the text is not the one this digest pins. A text that was shown never changes: restore it and publish a new "
            f"version. If nobody was shown it yet, write text_sha256: {digest}",
        )
    return Notice(
        notice_id=values["id"],
        version=values["version"],
        language=values["language"],
        text=text,
        text_sha256=digest,
        purposes=frozenset(values["purposes"]),
        valid_from=values["valid_from"],
        valid_until=values["valid_until"],
        renewal_from=terms.renewal_from(values),
        one_purpose=values["one_purpose"],
    )


def _read_text(path: Path, problems: Problems, place: str) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST_NOTICE:
            problems.add(place, "the text is longer than 64 KiB")
            return ""
        text = raw.decode()
    except OSError as error:
        problems.add(place, f"the file cannot be read ({type(error).__name__}); the path is relative to this file")
        return ""
    except UnicodeDecodeError:
        problems.add(place, "the file must be UTF-8")
        return ""
    if not text.strip():
        problems.add(place, "the file is empty")
    return text


def _source(name: str, values: Mapping[str, Any], root: Path) -> SourceEntry:
    settings = SourceSettings(
        name=name, connector=values["connector"], brand=values.get("brand"), options=MappingProxyType(values["options"])
    )
    inbox = values.get("inbox")
    if inbox is not None and "://" not in inbox:
        inbox = str((root / inbox).resolve())
    return SourceEntry(settings=settings, connection=values.get("connection"), inbox=inbox)


def _destination(name: str, values: Mapping[str, Any]) -> DestinationSettings:
    limits = dict(values["limits"])
    for timeout in ("connect_timeout", "read_timeout"):
        if timeout in limits:
            limits[timeout] = limits[timeout].total_seconds()
    return DestinationSettings(
        name=name,
        connector=values["connector"],
        connection=values["connection"],
        country=values["country"],
        transfer_basis=values.get("transfer_basis"),
        purposes=MappingProxyType({brand: tuple(codes) for brand, codes in values["purposes"].items()}),
        discloses=MappingProxyType({code: frozenset(names) for code, names in values["discloses"].items()}),
        requires=frozenset(values["requires"]),
        party=terms.party(values.get("party")),
        overrides=MappingProxyType(limits),
        options=MappingProxyType(values["options"]),
    )
