"""C2SP tlog-policy: whose log, which witnesses, how many of them. Refuses a checkpoint that the quorum has not seen.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name of a witness or group>|none

A line ends in a newline, words stand between spaces and tabs, ``#`` begins a comment line. Names serve this file alone; a name
must be defined before it is used, and is a member of one group at most, so that no witness counts twice. Two keys with the same
public bytes are one key, whatever they are called. The file is octets: names outside ASCII are compared byte by byte.

The order of the checks is that of tlog-proof: the log's own signature, then every known witness's, then the quorum, then, if
asked, whether the quorum saw it lately.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.audit import checkpoint as checkpoints
from consent.audit.checkpoint import Cosigned
from consent.audit.cosignature import LOG_KINDS, TIMED
from consent.audit.note import VerifierKey
from schemas.audit import Checkpoint
from schemas.errors import AuditError

NONE: Final = "none"
#: Lines and bytes; the specification asks for 32 logs, witnesses and groups at least.
MAX_POLICY: Final = 1_048_576
#: Seconds that a witness's clock may be ahead of ours.
SKEW: Final = 300

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANK: Final = re.compile(r"[ \t]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log whose checkpoints are accepted; an unused ``url`` is empty."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness under the name this policy gives it; ``url`` is its submission prefix."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """At least ``threshold`` of the members."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a policy says of one checkpoint. ``reason`` is empty if the quorum has seen it, else says who is missing."""

    checkpoint: Checkpoint
    seen: Mapping[str, int]  # name of each witness that signed -> the time it states
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A parsed policy; ``parse`` is the way to make one."""

    logs: tuple[Log, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, text: str | bytes) -> Policy:
        """Raises AuditError ``bad_policy`` naming the line."""
        return _Reader().read(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(log.key for log in self.logs)

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(witness.key for witness in self.witnesses.values())

    def judge(
        self,
        note: str | bytes,
        *,
        keys: Sequence[VerifierKey] = (),
        now: int | None = None,
        max_age: int | None = None,
    ) -> Judged:
        """Whether the quorum has seen this checkpoint. ``keys`` of the log are added to those that the policy lists.

        ``now`` (POSIX seconds) refuses cosignatures of the future; with ``max_age`` (seconds) older ones do not count. Raises
        AuditError if the log's signature, or that of a known witness, is wrong or missing: such a checkpoint is no evidence at
        all, whereas one that only lacks witnesses is one that nobody but the log vouches for yet.
        """
        checkpoint = checkpoints.verify(note, [*dict.fromkeys((*self.log_keys, *keys))])
        seen = {each.key: each for each in checkpoints.cosigned(note, self.witness_keys)}
        by_name = {name: seen[one.key] for name, one in self.witnesses.items() if one.key in seen}
        refused = {name: why for name, each in by_name.items() if (why := _untimely(each, now=now, max_age=max_age))}
        counted = by_name.keys() - refused.keys()
        reason = "" if self._met(self.quorum, counted) else self._reason(counted, refused)
        return Judged(checkpoint=checkpoint, seen={name: each.time for name, each in by_name.items()}, reason=reason)

    def require(
        self,
        note: str | bytes,
        *,
        keys: Sequence[VerifierKey] = (),
        now: int | None = None,
        max_age: int | None = None,
    ) -> Judged:
        """As ``judge``; raises AuditError ``missing_quorum`` too."""
        judged = self.judge(note, keys=keys, now=now, max_age=max_age)
        if not judged.ok:
            raise AuditError("missing_quorum", judged.reason, field="quorum")
        return judged

    def met_by(self, names: Sequence[str]) -> bool:
        """Whether these witnesses are a quorum: the gatherer may stop asking."""
        return self._met(self.quorum, frozenset(names))

    def _met(self, name: str, counted: frozenset[str] | set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name == NONE or name in counted
        return sum(self._met(member, counted) for member in group.members) >= group.threshold

    def _reason(self, counted: set[str], refused: Mapping[str, str]) -> str:
        needed = self._lacking(self.quorum, counted)
        late = "".join(f"; {name} does not count: {why}" for name, why in sorted(refused.items()))
        have = ", ".join(sorted(counted)) or "nobody"
        return f"the quorum has not seen it: {needed} (seen by {have}){late}"

    def _lacking(self, name: str, counted: set[str]) -> str:
        """The parts of the quorum that are not met, in words."""
        group = self.groups.get(name)
        if group is None:
            return f"witness {name} is missing"
        unmet = [member for member in group.members if not self._met(member, counted)]
        have = len(group.members) - len(unmet)
        inner = [self._lacking(member, counted) for member in unmet if member in self.groups]
        missing = ", ".join(unmet)
        said = f"group {name} needs {group.threshold} of {len(group.members)} and has {have}, missing are {missing}"
        return "; ".join([said, *inner])


def _untimely(each: Cosigned, *, now: int | None, max_age: int | None) -> str:
    if now is None:
        return ""
    if each.time > now + SKEW:
        return "it states a time in the future"
    if max_age is not None and each.time < now - max_age:
        return "it saw the checkpoint too long ago" if each.time else "it does not say when it saw the checkpoint"
    return ""


class _Reader:
    """Reads a policy line by line."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._witnesses: dict[str, Witness] = {}
        self._groups: dict[str, Group] = {}
        self._grouped: set[str] = set()
        self._quorum: str | None = None
        self._number = 0

    def read(self, raw: bytes) -> Policy:
        if len(raw) > MAX_POLICY:
            self._bad("the policy is larger than any policy of ours")
        if raw and not raw.endswith(b"\n"):
            self._number = raw.count(b"\n") + 1
            self._bad("it does not end in a newline: the end of the file is missing")
        for number, line in enumerate(raw.split(b"\n")[:-1], 1):
            self._number = number
            if _CONTROL.search(line):
                self._bad("it holds a control character; only tabs are allowed")
            words = _BLANK.sub(" ", line.decode("utf-8", "surrogateescape")).strip(" ").split(" ")
            if words != [""] and not words[0].startswith("#"):
                self._line(words)
        if self._quorum is None:
            raise AuditError("bad_policy", "the policy has no quorum line; 'quorum none' asks for no witness", field="quorum")
        return Policy(logs=tuple(self._logs), witnesses=self._witnesses, groups=self._groups, quorum=self._quorum)

    def _line(self, words: list[str]) -> None:
        match words:
            case ["log", key, *url] if len(url) <= 1:
                self._log(key, "".join(url))
            case ["witness", name, key, *url] if len(url) <= 1:
                self._witness(name, key, "".join(url))
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                if self._quorum is not None:
                    self._bad("a policy has one quorum line")
                if name != NONE:
                    self._known(name)
                self._quorum = name
            case _:
                self._bad("a line is 'log', 'witness', 'group' or 'quorum' and the words that belong to it")

    def _log(self, line: str, url: str) -> None:
        key = self._key(line)
        if key.kind not in LOG_KINDS:
            self._bad("this key is a witness's: a log signs with type 0x01 or 0x06")
        if any(log.key.public == key.public for log in self._logs):
            self._bad("another log line has the same public key")
        self._logs.append(Log(key=key, url=url))

    def _witness(self, name: str, line: str, url: str) -> None:
        self._new(name)
        key = self._key(line)
        if key.kind not in TIMED:
            self._bad("this key is a log's: a witness signs with type 0x04 or 0x06")
        if any(witness.key.public == key.public for witness in self._witnesses.values()):
            self._bad("another witness line has the same public key")
        self._witnesses[name] = Witness(name=name, key=key, url=url)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._new(name)
        for member in members:
            self._known(member)
            if member in self._grouped:
                self._bad("a member stands in this or another group already: it would count twice")
            self._grouped.add(member)
        least = {"any": "1", "all": str(len(members))}.get(threshold, threshold)
        if not _NUMBER.fullmatch(least) or int(least) > len(members):
            self._bad("a threshold is 'any', 'all' or a number from 1 to the number of members")
        self._groups[name] = Group(name=name, threshold=int(least), members=tuple(members))

    def _key(self, line: str) -> VerifierKey:
        try:
            return VerifierKey.parse(line)
        except (AuditError, UnicodeEncodeError) as error:
            self._bad(error.message if isinstance(error, AuditError) else "the key's name is not UTF-8")

    def _new(self, name: str) -> None:
        if name == NONE or name in self._witnesses or name in self._groups:
            self._bad("this name is taken; 'none' is always")

    def _known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            self._bad("a name is used that no line before it defines")

    def _bad(self, why: str) -> NoReturn:
        raise AuditError("bad_policy", f"line {self._number}: {why}", field="policy") from None
