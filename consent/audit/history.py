"""Re-derives every signed root from the leaves and names where they part. Refuses to call a log whole on its own word.

1. The indexes must be 0, 1, 2 ...: a gap names the missing leaf, a line out of order names both leaves.
2. Each leaf's bytes must have the hash that is stored beside them: a difference names the leaf.
3. The root over the first n leaves must be the root that was signed for n. Whoever rewrote indexes and hashes as well is
   stopped here; then only the signatures tell where: between the last size that still fits and the first that does not.
   Within that segment every exchange of two leaves is tried: one that restores the signed root is no guess but a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from consent.audit.findings import Collector
from consent.audit.merkle import CompactRange, Levels, leaf_hash, node_hash
from consent.audit.reading import ReadLeaf
from schemas.audit import Checkpoint

#: Exchanges tried in one segment; about two seconds.
MAX_TRIES: Final = 50_000
#: Leaves in a segment up to which a move of one leaf is tried too: it costs the cube of this.
MAX_MOVED: Final = 64
#: Segments in which an exchange is searched for, before the rest is only named.
MAX_MENDED: Final = 8

_RESTORE: Final = "Stop writing, keep the database as it is, and compare with a backup from before"


@dataclass(slots=True, kw_only=True)
class History:
    """Leaf hashes by index, up to the first gap; ``claimed`` holds the stored hash where it is another one."""

    hashes: list[bytes] = field(default_factory=list)
    claimed: dict[int, bytes] = field(default_factory=dict)
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


def read(leaves: Iterable[ReadLeaf], *, each: Callable[[int, bytes], None], found: Collector) -> History:
    """Read all leaves once, telling ``each`` of every index and leaf, and report what is wrong with their order."""
    history = History()
    hashes, indexes = history.hashes, []
    for line in leaves:
        digest = leaf_hash(line.leaf)
        if digest != line.claimed:
            history.claimed[line.index] = line.claimed
        hashes.append(digest)
        indexes.append(line.index)
        each(line.index, line.leaf)
    history.count = len(indexes)
    history.end = max(indexes, default=-1) + 1
    if indexes != list(range(len(indexes))):
        history.hashes = _reordered(indexes, hashes, found)
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
        mended = _segment(hashes, ordered, answers, found, silent=bool(beyond))
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


def _reordered(indexes: list[int], hashes: list[bytes], found: Collector) -> list[bytes]:
    """Put leaves where their indexes say, report what that took, and return them up to the first gap."""
    by_index: dict[int, bytes] = {}
    for index, digest in zip(indexes, hashes, strict=True):
        if index in by_index:
            found.add(
                "leaf_twice", place=f"leaf {index}", problem="two leaves claim this index; the first is used", advice=_RESTORE
            )
        else:
            by_index[index] = digest
    for here, belongs in zip(by_index, sorted(by_index), strict=True):
        if here != belongs:
            found.add(
                "leaf_reordered",
                place=f"leaves {belongs} and {here}",
                problem=f"leaf {here} stands where leaf {belongs} belongs",
                advice=_RESTORE,
            )
    for first, last in _gaps(by_index):
        found.add(
            "leaf_missing",
            place=f"leaf {first}" if first == last else f"leaves {first} to {last}",
            problem="missing from the log",
            advice=_RESTORE,
        )
    whole: list[bytes] = []
    while (digest_here := by_index.get(len(whole))) is not None:
        whole.append(digest_here)
    return whole


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
    hashes: list[bytes], ordered: Sequence[Statement], answers: Sequence[bool | None], found: Collector, *, silent: bool
) -> list[bytes] | None:
    """Name what is wrong between the last right root and the first wrong one; the mended hashes if that could be proven.

    ``silent`` is for a log with too few leaves: that is said once, and here only proven exchanges are.
    """
    good = _largest(ordered, answers)
    wrong = [each for each, answer in zip(ordered, answers, strict=True) if answer is False and each.size > good]
    if not wrong:
        return None
    first = wrong[0]
    culprits = _exchanged(hashes, begin=good, statement=first) or _moved(hashes, begin=good, statement=first)
    if culprits is not None:
        belongs, stands, mended = culprits
        found.add(
            "leaf_reordered",
            place=f"leaves {belongs} and {stands}",
            problem=f"leaf {stands} belongs where leaf {belongs} stands: so ordered they have the root of the {first.place}",
            advice=_RESTORE,
        )
        return mended
    if not silent:
        later = f", nor any of {len(wrong) - 1} later ones" if len(wrong) > 1 else ""
        found.add(
            "log_rewritten" if first.kept else "root_mismatch",
            place=f"between leaf {good} and leaf {first.size - 1}",
            problem=f"the leaves have not the root of the {first.place}{later}: one was changed, removed, added or moved",
            advice=_RESTORE,
        )
    return None


def _exchanged(hashes: list[bytes], *, begin: int, statement: Statement) -> tuple[int, int, list[bytes]] | None:
    """The two leaves whose exchange restores the root, neighbours first, and all hashes with them exchanged."""
    levels = Levels(hashes[: statement.size])
    tries = 0
    for distance in range(1, statement.size - begin):
        for left in range(begin, statement.size - distance):
            right = left + distance
            if tries == MAX_TRIES:
                return None
            tries += 1
            if _root_with(levels, {left: hashes[right], right: hashes[left]}) == statement.root:
                mended = list(hashes)
                mended[left], mended[right] = hashes[right], hashes[left]
                return left, right, mended
    return None


def _moved(hashes: list[bytes], *, begin: int, statement: Statement) -> tuple[int, int, list[bytes]] | None:
    """The leaf whose move restores the root: where it belongs, where it stands, and all hashes with it moved."""
    segment = hashes[begin : statement.size]
    if len(segment) > MAX_MOVED:
        return None
    before = CompactRange()
    before.extend(hashes[:begin])
    for stands in range(len(segment)):
        others = segment[:stands] + segment[stands + 1 :]
        for belongs in range(len(segment)):
            tried = [*others[:belongs], segment[stands], *others[belongs:]]
            tree = before.copy()
            tree.extend(tried)
            if tree.root() == statement.root:
                return begin + belongs, begin + stands, [*hashes[:begin], *tried, *hashes[statement.size :]]
    return None


def _root_with(levels: Levels, changes: dict[int, bytes]) -> bytes:
    """The root if some leaves had other hashes: only their paths are hashed again."""
    width, level, root = levels.size, 0, b""
    while width:
        if width & 1:  # the last complete subtree of this level has no sibling: it is one of the peaks, smallest first
            peak = changes.get(width - 1) or levels.read(level, width - 1)
            root = node_hash(peak, root) if root else peak
        above: dict[int, bytes] = {}
        for index in changes:
            left = index & ~1
            if left + 1 < width and left >> 1 not in above:
                pair = (changes.get(left) or levels.read(level, left), changes.get(left + 1) or levels.read(level, left + 1))
                above[left >> 1] = node_hash(*pair)
        changes, width, level = above, width >> 1, level + 1
    return root
