"""Re-derives every signed root from the leaves and names where they part. Refuses to call a log whole on its own word.

1. The indexes must be 0, 1, 2 ...: a gap names the missing leaf, a line out of order names both leaves.
2. Each leaf's bytes must have the hash that is stored beside them: a difference names the leaf.
3. The root over the first n leaves must be the root that was signed for n. Whoever rewrote indexes and hashes as well is
   stopped here; then only the signatures tell where: between the last size that still fits and the first that does not.
   Within that segment exchanges and moves are tried (``mending``): one that restores the signed root is a proof.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from consent.audit.findings import Collector
from consent.audit.mending import mend
from consent.audit.merkle import CompactRange, leaf_hash
from consent.audit.reading import ReadLeaf
from schemas.audit import Checkpoint

#: Segments in which an exchange is searched for, before the rest is only named.
MAX_MENDED: Final = 8

_RESTORE: Final = "Stop writing, keep the database as it is, and compare with a backup from before"


@dataclass(slots=True, kw_only=True)
class History:
    """Leaf hashes by index, up to the first gap; ``claimed`` holds the stored hash where it is another one."""

    hashes: list[bytes] = field(default_factory=list)
    claimed: dict[int, bytes] = field(default_factory=dict)
    times: array[float] = field(default_factory=lambda: array("d"))  # what the leaves say of when, in the same order
    end: int = 0  # one past the largest index
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A root that somebody signed for a size, and where it was read."""

    size: int
    root: bytes
    place: str
    kept: bool = False  # by the auditor, not by the operator

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, place: str, kept: bool = False) -> Statement:
        return cls(size=checkpoint.size, root=checkpoint.root, place=place, kept=kept)


def read(leaves: Iterable[ReadLeaf], *, each: Callable[[int, bytes], float], found: Collector) -> History:
    """Read all leaves once, asking ``each`` for the time in every leaf, and report what is wrong with their order."""
    history = History()
    hashes, times, indexes = history.hashes, history.times, []
    for line in leaves:
        digest = leaf_hash(line.leaf)
        if digest != line.claimed:
            history.claimed[line.index] = line.claimed
        hashes.append(digest)
        indexes.append(line.index)
        times.append(each(line.index, line.leaf))
    history.count = len(indexes)
    history.end = max(indexes, default=-1) + 1
    if indexes != list(range(len(indexes))):
        order = _reordered(indexes, found)
        history.hashes, history.times = [hashes[at] for at in order], array("d", (times[at] for at in order))
    return history


def check(history: History, statements: Sequence[Statement], found: Collector) -> int:
    """Compare with what was signed. Returns the largest signed size whose root was re-derived."""
    ordered = sorted(statements, key=lambda statement: statement.size)
    hashes = history.hashes
    answers = _answers(hashes, ordered)
    if history.claimed:
        stored = [history.claimed.get(index, digest) for index, digest in enumerate(hashes)]
        by_hash = _answers(stored, ordered)
        _changed(history, bytes_hold=answers.count(True), hashes_hold=by_hash.count(True), found=found)
        if by_hash.count(True) > answers.count(True):
            hashes, answers = stored, by_hash
    good = _largest(ordered, answers)
    beyond = [each for each in ordered if each.size > max(history.end, good)]
    for _ in range(MAX_MENDED):
        mended = _segment(hashes, history.times, ordered, answers, found=found, silent=bool(beyond))
        if mended is None:
            break
        hashes, answers = mended, _answers(mended, ordered)
    if beyond and not all(each.kept for each in beyond):  # a lone kept one was reported as a roll-back
        wrong = [each for each, answer in zip(ordered, answers, strict=True) if answer is False and each.size > good]
        _too_few(history, good=good, wrong=wrong, beyond=beyond, found=found)
    _inconsistent(ordered, answers, found)
    return good


def _largest(ordered: Sequence[Statement], answers: Sequence[bool | None]) -> int:
    return max((each.size for each, answer in zip(ordered, answers, strict=True) if answer), default=0)


def _answers(hashes: Sequence[bytes], ordered: Sequence[Statement]) -> list[bool | None]:
    """For each statement: its root is the one of these leaves, or is not, or there are too few of them to tell."""
    answers: list[bool | None] = []
    tree = CompactRange()
    for statement in ordered:
        if statement.size > len(hashes):
            answers.append(None)
            continue
        tree.extend(hashes[tree.size : statement.size])
        answers.append(tree.root() == statement.root)
    return answers


def _reordered(indexes: list[int], found: Collector) -> list[int]:
    """Report what is wrong with the indexes; the positions of leaves 0, 1, 2 ... up to the first gap."""
    position: dict[int, int] = {}
    for at, index in enumerate(indexes):
        if index in position:
            found.add(
                "leaf_twice", place=f"leaf {index}", problem="two leaves claim this index; the first is used", advice=_RESTORE
            )
        else:
            position[index] = at
    for here, belongs in zip(position, sorted(position), strict=True):
        if here != belongs:
            found.add(
                "leaf_reordered",
                place=f"leaves {belongs} and {here}",
                problem=f"leaf {here} stands where leaf {belongs} belongs",
                advice=_RESTORE,
            )
    for first, last in _gaps(position):
        found.add(
            "leaf_missing",
            place=f"leaf {first}" if first == last else f"leaves {first} to {last}",
            problem="missing from the log",
            advice=_RESTORE,
        )
    order: list[int] = []
    while len(order) in position:
        order.append(position[len(order)])
    return order


def _gaps(by_index: Iterable[int]) -> Iterator[tuple[int, int]]:
    expected = 0
    for index in sorted(by_index):
        if index > expected:
            yield expected, index - 1
        expected = index + 1


def _changed(history: History, *, bytes_hold: int, hashes_hold: int, found: Collector) -> None:
    """Leaves whose bytes and stored hash disagree. What the signed roots hold says which of the two is the original."""
    which = "the bytes, the hash or both were changed"
    if bytes_hold != hashes_hold:
        which = "the bytes were changed" if hashes_hold > bytes_hold else "the stored hash was changed, the bytes are as signed"
    owner = {claimed: index for index, claimed in history.claimed.items()}
    for index in sorted(history.claimed):
        digest = history.hashes[index] if index < len(history.hashes) else b""
        other = owner.get(digest)
        if other is None:
            found.add(
                "leaf_changed",
                place=f"leaf {index}",
                problem=f"the bytes do not have the hash stored beside them: {which}",
                advice=_RESTORE,
            )
        else:
            found.add(
                "leaf_reordered",
                place=f"leaves {index} and {other}",
                problem=f"at index {index} stand the bytes of leaf {other}",
                advice=_RESTORE,
            )


def _inconsistent(ordered: Sequence[Statement], answers: Sequence[bool | None], found: Collector) -> None:
    """Two signed sizes that are no prefix of one another: a root that is wrong though a later or equal one is right."""
    good = _largest(ordered, answers)
    for statement, answer in zip(ordered, answers, strict=True):
        if answer is False and statement.size <= good:
            found.add(
                "log_rewritten" if statement.kept else "checkpoint_inconsistent",
                place=statement.place,
                problem=f"the log of {good} leaves does not begin with the log of {statement.size} that was signed here",
                advice="Two histories were signed with one key: keep both checkpoints as evidence and ask the key's owner",
            )


def _too_few(history: History, *, good: int, wrong: Sequence[Statement], beyond: Sequence[Statement], found: Collector) -> None:
    """More leaves were signed than there are."""
    last = beyond[-1]
    where = min(statement.size for statement in [*wrong, *beyond])
    found.add(
        "leaf_missing",
        place=f"between leaf {good} and leaf {where - 1}",
        problem=f"{last.size - history.end} of the {last.size} leaves signed in the {last.place} are missing",
        advice=_RESTORE,
    )


def _segment(
    hashes: list[bytes],
    times: Sequence[float],
    ordered: Sequence[Statement],
    answers: Sequence[bool | None],
    *,
    found: Collector,
    silent: bool,
) -> list[bytes] | None:
    """Name what is wrong between the last right root and the first wrong one; the mended hashes if that could be proven.

    ``silent`` is for a log with too few leaves: that is said once, and here only proven exchanges are.
    """
    good = _largest(ordered, answers)
    wrong = [each for each, answer in zip(ordered, answers, strict=True) if answer is False and each.size > good]
    if not wrong:
        return None
    first = wrong[0]
    mended = mend(hashes, times, begin=good, size=first.size, root=first.root)
    if mended is not None:
        belongs, stands = mended.belongs, mended.stands
        found.add(
            "leaf_reordered",
            place=f"leaves {belongs} and {stands}",
            problem=f"leaf {stands} belongs where leaf {belongs} stands: so ordered they have the root of the {first.place}",
            advice=_RESTORE,
        )
        return mended.hashes
    if not silent:
        later = f", nor any of {len(wrong) - 1} later ones" if len(wrong) > 1 else ""
        found.add(
            "log_rewritten" if first.kept else "root_mismatch",
            place=f"between leaf {good} and leaf {first.size - 1}",
            problem=f"the leaves have not the root of the {first.place}{later}: one was changed, removed, added or moved",
            advice=_RESTORE,
        )
    return None
