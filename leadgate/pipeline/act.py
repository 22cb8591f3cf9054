"""Draws up the act of destruction and the extract from the event log, as pages to be signed and as a document for machines.

1. The leaves of the destruction are proven first; what has no proof yet stands on no extract.
2. Pages and document are made in memory. What they say is sealed under the act's own key and stored with a keyed digest of
   them, and the log has a leaf with that digest, in one transaction.
3. Only then does the caller write files. A crash before that leaves an act that can be printed again, from what was sealed:
   the same facts make the same bytes.

The order wants the evidence kept for three years from the destruction; that term is the act's own, and retention ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from consent.act_seal import ActSeal
from leadgate.documents import Attachment, Page, pdf
from leadgate.documents.saying import prepared
from leadgate.pipeline import act_facts
from leadgate.pipeline.act_facts import ActFacts, Operator
from leadgate.pipeline.proofs import LeafProof
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import acts, log
from leadgate.storage.acts import StoredAct
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import Event, Language
from schemas.words import Said

#: Shape of the document for machines.
FORMAT: Final = "leadgate-act-179/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act, ready to be given away: its pages and its document. The bytes hold a person."""

    act_id: str
    act_pdf: bytes
    extract_pdf: bytes
    document: bytes
    keep_until: datetime
    open_copies: tuple[str, ...]

    @property
    def files(self) -> dict[str, bytes]:
        """What to write, by what follows the name that the officer chose."""
        return {".pdf": self.act_pdf, ".extract.pdf": self.extract_pdf, ".json": self.document}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the officer says of one act. ``subject`` may be empty: then the random id stands alone."""

    destroyer: Personal[str]
    subject: Personal[str]


class Acts:
    """Draws up acts and prints them again."""

    def __init__(self, *, ledger: Ledger, seal: ActSeal, tenant: str, origin: str, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._seal = seal
        self._tenant = tenant
        self._origin = origin
        self._clock = clock

    def draw_up(
        self,
        person_id: str,
        *,
        given: Given,
        operator: Operator,
        proofs: Sequence[LeafProof],
        keep_for: timedelta,
        language: Language,
        actor: str,
    ) -> Act:
        """Make, seal, log. ``proofs`` are of every leaf about the person. Raises ConfigurationError if a field is missing."""
        now = self._clock().replace(microsecond=0)  # paper says seconds
        act_id = new_ids(1, to_micros(now))[0]
        shown = act_facts.extracted(proofs)
        if not shown:
            raise ConfigurationError(
                "nothing_proven", "the log has no proven line about it yet: `leadgate seal`", field="--person"
            )
        checkpoint = shown[0].proof.decode().partition("\n\n")[2]
        with self._ledger.snapshot() as tx:
            facts = act_facts.gather(
                tx,
                person_id,
                act_id=act_id,
                operator=operator,
                proofs=shown,
                checkpoint=checkpoint,
                log_size=int(checkpoint.split("\n")[1]),
                tenant=self._tenant,
                subject=given.subject.reveal().strip(),
                destroyer=given.destroyer.reveal().strip(),
                made_at=now,
                keep_until=now,
            )
        if not facts.destroyer:
            raise ConfigurationError("no_destroyer", "an act names who destroyed", field="standard input")
        facts = replace(facts, keep_until=facts.destroyed_at + keep_for)
        kept = _content(facts, shown, language)
        act = self._printed(act_id, kept, language)
        sealed = self._seal.seal(act_id, Personal(kept), [act.act_pdf, act.extract_pdf, act.document])
        stored = StoredAct(
            act_id=act_id,
            person_id=person_id,
            made_at=to_micros(now),
            actor=actor,
            language=language.value,
            document_sha256=sealed.keyed_sha256,
            keep_until=to_micros(facts.keep_until),
            wrapped_key=sealed.wrapped_key,
            key_version=sealed.key_version,
            sealed=sealed.envelope,
        )
        self._ledger.retrying(lambda tx: self._store(tx, stored, facts, now=now))
        return act

    def again(self, act_id: str) -> Act:
        """Print an act once more. Raises ConfigurationError for an unknown one, VaultError once its term is over."""
        with self._ledger.snapshot() as tx:
            stored = acts.by_id(tx, act_id)
        if stored is None:
            raise ConfigurationError("unknown_act", "there is no act of this id", field="--again")
        opened = self._seal.open(act_id, stored.wrapped_key, stored.key_version or 0, stored.sealed or b"")
        return self._printed(act_id, opened.reveal(), Language(stored.language))

    def same(self, act: Act) -> bool:
        """Whether these are, to the byte, the documents that were drawn up then."""
        with self._ledger.snapshot() as tx:
            stored = acts.by_id(tx, act.act_id)
        pages = [act.act_pdf, act.extract_pdf, act.document]
        return stored is not None and stored.document_sha256 == self._seal.digest(
            stored.wrapped_key, stored.key_version or 0, pages
        )

    def _printed(self, act_id: str, kept: bytes, language: Language) -> Act:
        content: dict[str, Any] = json.loads(kept)
        data, made_at = content["said"], datetime.fromisoformat(content["facts"]["made_at"])
        page = Page(
            operator=data["operator"]["name"],
            document_id=act_id,
            made_at=made_at,
            origin=self._origin,
            leaf_index=content["facts"]["lines"][0]["index"],
        )
        files = [
            Attachment(name=name, content=proof, description=data["proof_of"].replace("{index}", str(line["index"])))
            for (name, proof), line in zip(content["proofs"].items(), content["facts"]["lines"], strict=True)
        ]
        return Act(
            act_id=act_id,
            act_pdf=pdf("act_179", data, language, page=page),
            extract_pdf=pdf("extract_179", data, language, page=page, attachments=files),
            document=json.dumps(
                {key: content[key] for key in ("format", "facts", "proofs")}, ensure_ascii=False, indent=1
            ).encode(),
            keep_until=datetime.fromisoformat(content["facts"]["keep_until"]),
            open_copies=tuple(each["name"] for each in content["facts"]["copies"] if each["open"]),
        )

    def _store(self, tx: Transaction, stored: StoredAct, facts: ActFacts, *, now: datetime) -> None:
        acts.add(tx, stored)
        recorder = Recorder(at=now, actor=stored.actor)
        recorder.note(
            Event.ACT_DRAWN_UP,
            person_id=stored.person_id,
            lead_id=facts.leads[-1] if facts.leads else None,
            facts={
                "about": stored.act_id,
                "kind": "act_179",
                "language": stored.language,
                "keyed_sha256": stored.document_sha256,
                "until": from_micros(stored.keep_until).isoformat(timespec="seconds").replace("+00:00", "Z"),
            },
        )
        log.append(tx, recorder.leaves)


def _content(facts: ActFacts, proofs: Sequence[LeafProof], language: Language) -> bytes:
    """Everything the pages say, as it is sealed: facts for machines, the same in words, the proofs."""
    said = prepared(facts, language)
    said["proof_of"] = {
        Language.RU: "Доказательство включения записи {index} журнала (C2SP tlog-proof)",
        Language.EN: "Proof that entry {index} is in the log (C2SP tlog-proof)",
    }[language]
    content = {
        "format": FORMAT,
        "facts": _plain(asdict(facts), language),
        "said": said,
        "proofs": {each.file_name: each.proof.decode() for each in proofs},
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


def _plain(value: Any, language: Language) -> Any:
    """For machines: moments in RFC 3339, words in the language of the act."""
    if isinstance(value, Said):
        return value.in_(language)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _plain(each, language) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, language) for each in value]
    return value if value is None or isinstance(value, bool | int) else prepared(value, language)
