"""An invented log for tests of the witness: leaves in memory, real keys, real proofs; and one that was forked from it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import Levels, consistency_proof, leaf_hash
from consent.audit.note import SEED_SIZE, SignerKey

ORIGIN = "log.example.org/invented"


@dataclass(slots=True)
class InventedLog:
    """Grows by ``grow``; every size it ever had can be signed again."""

    origin: str = ORIGIN
    seed: bytes = b"l" * SEED_SIZE
    hashes: list[bytes] = field(default_factory=list)

    @property
    def signer(self) -> SignerKey:
        return SignerKey(name=self.origin, seed=self.seed)

    @property
    def vkey(self) -> str:
        return str(self.signer.verifier)

    @property
    def size(self) -> int:
        return len(self.hashes)

    def grow(self, leaves: int, word: str = "leaf") -> int:
        """Answer the new size."""
        self.hashes += [leaf_hash(f"{word} {self.size + number}".encode()) for number in range(leaves)]
        return self.size

    def forked(self, size: int, word: str) -> InventedLog:
        """Another history under the same key, the same up to ``size``."""
        return InventedLog(origin=self.origin, seed=self.seed, hashes=self.hashes[:size]).with_leaves(self.size - size, word)

    def with_leaves(self, leaves: int, word: str) -> InventedLog:
        self.grow(leaves, word)
        return self

    def note(self, size: int | None = None) -> str:
        size = self.size if size is None else size
        return checkpoints.sign(size=size, root=self.root(size), signers=[self.signer]).note

    def root(self, size: int) -> bytes:
        return Levels(self.hashes[:size]).root()

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        size = self.size if size is None else size
        if old in (0, size):
            return []
        return consistency_proof(Levels(self.hashes[:size]).read, size1=old, size2=size)

    def request(self, old: int, size: int | None = None) -> bytes:
        """A well-formed body of add-checkpoint."""
        return body(old, self.proof(old, size), self.note(size))


def body(old: int | str, proof: list[bytes], note: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(each).decode() for each in proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()
