"""The officer's desk: notices of one house. It refuses to publish a notice that leadgate.yaml would not load with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from leadgate.pipeline import notices
from leadgate.pipeline.notices import Rewritten
from leadgate.settings import editing
from leadgate.settings.policies import compose_policies
from leadgate.storage import notices as stored
from leadgate.wiring.notices import in_force_of
from leadgate.wiring.parts import Parts
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy, Notice
from schemas.vocabulary import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """What an officer wants to publish. ``replaces`` names the version that ends where this one begins."""

    brand: str
    notice_id: str
    version: str
    language: Language
    purposes: tuple[str, ...]
    valid_from: datetime
    text: Path
    replaces: str | None = None
    one_purpose: bool = False
    requires_renewal: bool = False
    renew_within: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNotice:
    """A notice as it stands in the ledger, the file, or both."""

    brand: str
    notice: Notice
    published_at: datetime | None  # None: the file names it, nothing has started since
    in_file: bool


class ConsentDesk:
    """What the commands about notices ask of the house."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._file = parts.settings.path

    def policy(self, brand: str) -> BrandPolicy:
        """The brand's policy. Raises ConfigurationError if there is no such brand."""
        found = self._parts.policies.get(brand)
        if found is None:
            known = ", ".join(sorted(self._parts.policies))
            raise ConfigurationError("unknown_brand", f"leadgate.yaml has no such brand; it has {known}", field="--brand")
        return found

    def listed(self, brand: str | None = None) -> list[ListedNotice]:
        """Every notice, of the file and of the past, by brand, id and moment."""
        with self._parts.ledger.snapshot() as tx:
            known = {(each.brand, *each.notice.key): each for each in stored.published(tx, brand)}
        in_file = {
            (name, *notice.key): notice
            for name, policy in self._parts.policies.items()
            if brand in (None, name)
            for notice in policy.notices.values()
        }
        found = [
            ListedNotice(
                brand=key[0],
                notice=in_file.get(key) or known[key].notice,
                published_at=known[key].published_at if key in known else None,
                in_file=key in in_file,
            )
            for key in known.keys() | in_file.keys()
        ]
        return sorted(found, key=lambda one: (one.brand, one.notice.notice_id, one.notice.valid_from, one.notice.language))

    def leaf_of(self, brand: str, notice: Notice) -> int | None:
        """The place in the log of the leaf that published a notice; None while it waits, or if there is none."""
        with self._parts.ledger.snapshot() as tx:
            rows = tx.rows(
                "select min(leaf_index) from audit_leaf where about = :about", about=notices.reference(brand, notice)
            )
        return rows[0][0] if rows else None

    def check(self) -> tuple[int, list[Rewritten]]:
        """(how many were compared, what was rewritten) over file, ledger and log."""
        with self._parts.ledger.snapshot() as tx:
            return len(stored.published(tx)), notices.check(tx, in_force_of(self._parts.policies))

    def block(self, new: NewNotice) -> tuple[dict[str, Any], Path, bytes]:
        """What would be written: the notice's keys, where its text is kept, and the text."""
        self.policy(new.brand)
        try:
            text = new.text.read_bytes()
        except OSError as error:
            raise ConfigurationError("unreadable_file", f"cannot be read ({type(error).__name__})", field="--text") from None
        kept = self._file.parent / "notices" / f"{new.notice_id}-{new.language.value}-{new.version}.txt"
        if new.text.resolve().is_relative_to(self._file.parent):
            kept = new.text.resolve()
        elif kept.exists() and kept.read_bytes() != text:
            raise ConfigurationError(
                "notice_exists", f"{kept.name} holds another text; choose a new version", field="--version"
            )
        keys: dict[str, Any] = {
            "id": new.notice_id,
            "version": new.version,
            "language": new.language.value,
            "purposes": list(new.purposes),
            "valid_from": new.valid_from,
            "text_file": kept.relative_to(self._file.parent).as_posix(),
            "text_sha256": sha256(text).hexdigest(),
        }
        optional = {
            "one_purpose": new.one_purpose,
            "requires_renewal": new.requires_renewal,
            "renew_within": new.renew_within,
        }
        return keys | {name: value for name, value in optional.items() if value}, kept, text

    def add(self, new: NewNotice, *, actor: str) -> None:
        """Publish: the text beside leadgate.yaml, its lines in it, its row in the ledger, its leaf in the log, in this order.

        Whoever dies in between does it again: the text is there, the lines are refused as standing twice, and the next start
        registers what the file says.
        """
        keys, kept, text = self.block(new)
        document = editing.with_notice(self._file.read_text(encoding="utf-8"), new.brand, keys)
        if new.replaces is not None:
            name = (new.notice_id, new.replaces, new.language.value)
            self._refuse_unknown(new.brand, [name])
            document = editing.with_end(document, new.brand, [name], new.valid_from)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            _keep(kept, text)
        self._write(document, actor=actor)

    def retire(self, brand: str, keys: Sequence[tuple[str, str, str]], until: datetime, *, actor: str) -> None:
        """Let nobody agree to some notices (id, version, language) from ``until`` on; consents given before stand."""
        self._refuse_unknown(brand, keys)
        if until < self._parts.clock().replace(microsecond=0):
            # Consents given since would lose their notice: what a person agreed to was in force when they did.
            raise ConfigurationError("retired_in_the_past", "lies in the past; people may have agreed since", field="--until")
        self._write(editing.with_end(self._file.read_text(encoding="utf-8"), brand, keys, until), actor=actor)

    def _refuse_unknown(self, brand: str, keys: Sequence[tuple[str, str, str]]) -> None:
        known = {(one.notice_id, one.version, one.language.value) for one in self.policy(brand).notices.values()}
        if not keys or not known.issuperset(keys):
            raise ConfigurationError("unknown_notice", "leadgate.yaml has no such notice; `leadgate notice list` names all")

    def _write(self, document: str, *, actor: str) -> None:
        settings = editing.replace_file(self._file, document)
        policies: Mapping[str, BrandPolicy] = compose_policies(settings, self._parts.manifests)
        now = self._parts.clock()
        self._parts.ledger.retrying(lambda tx: notices.register(tx, in_force_of(policies), now=now, actor=actor))


def _keep(path: Path, text: bytes) -> None:
    """Write a notice's text for good: it is on the disk before a line of leadgate.yaml names it."""
    with path.open("xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
