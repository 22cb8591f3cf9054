"""C2SP signed-note. Refuses a note that no known key signed, and one on which any known key's signature is wrong.

    <text, ending in a newline>
    <blank line>
    — <key name> <base64(key id || signature)>

Signatures of unknown keys are ignored, as the specification demands: that is how a key is rotated and how witnesses add theirs.
Every signature of a known key is verified, the second and third too. The keys themselves stand in ``vkey``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from consent.audit.vkey import FORBIDDEN_IN_NAME, KEY_ID_SIZE, SEED_SIZE, Signature, SignerKey, VerifierKey, b64, unb64
from schemas.errors import AuditError

__all__ = [
    "MAX_NOTE",
    "MAX_SIGNATURES",
    "SEED_SIZE",
    "Signature",
    "SignerKey",
    "VerifierKey",
    "assemble",
    "parse",
    "sign",
    "verify",
    "verify_signatures",
]

#: Bytes. A checkpoint is under 200; sixteen post-quantum signatures are 80,000.
MAX_NOTE: Final = 262_144
#: The specification asks for at least 16.
MAX_SIGNATURES: Final = 64

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


def sign(text: str, signers: Iterable[SignerKey], *, time: int = 0) -> str:
    """The note: ``text`` and one signature line for each signer; ``time`` is what signatures of timed kinds state."""
    _check_text(text)
    signatures = [signer.sign(text, time=time) for signer in signers]
    if not signatures:
        _bad_note("a note carries at least one signature")
    return assemble(text, signatures)


def assemble(text: str, signatures: Iterable[Signature]) -> str:
    """Write a note from its parts; a witness adds its line this way."""
    lines = [f"— {signature.name} {b64(signature.key_id + signature.value)}\n" for signature in signatures]
    return f"{text}\n{''.join(lines)}"


def parse(note: str | bytes) -> tuple[str, tuple[Signature, ...]]:
    """The text and its signature lines, none of them verified: nothing may be believed of it yet."""
    raw = note.encode("utf-8", "surrogatepass") if isinstance(note, str) else note
    if len(raw) > MAX_NOTE:
        _bad_note("the note is larger than any note of ours")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        _bad_note("the note is not UTF-8")
    if not whole.endswith("\n"):
        _bad_note("the note does not end in a newline: its end is missing")
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail or not text:
        _bad_note("no blank line separates a text from signatures: the note is cut, or was never signed")
    text += "\n"
    _check_text(whole)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        _bad_note(f"the note carries more than {MAX_SIGNATURES} signatures")
    return text, tuple(_signature(line) for line in lines)


def verify(note: str | bytes, keys: Sequence[VerifierKey]) -> str:
    """The text, if at least one known key signed it and every known key's signature is right. Raises AuditError.

    ``unknown_key`` means another key made it; ``bad_signature`` means it was changed after signing, or was never signed.
    """
    text, signatures = parse(note)
    verify_signatures(text, signatures, keys)
    return text


def verify_signatures(text: str, signatures: Iterable[Signature], keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The known keys that signed ``text``, at least one. Raises AuditError as ``verify`` does."""
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) != len(set(keys)):
        _bad_key("two verifier keys share a name and a key id; which of them is meant cannot be told")
    signed: dict[VerifierKey, None] = {}
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(text, signature.value):
            raise AuditError("bad_signature", "a known key's signature does not fit the text", field=key.name)
        signed[key] = None
    if not signed:
        raise AuditError("unknown_key", "none of the known keys signed this note", field="signature")
    return tuple(signed)


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not name or FORBIDDEN_IN_NAME.search(name):
        _bad_note("a signature line is not '— name base64'")
    raw = unb64(encoded)
    if raw is None or len(raw) <= KEY_ID_SIZE:
        _bad_note("a signature is not base64 of a key id and a signature: the line is cut or was changed")
    return Signature(name=name, key_id=raw[:KEY_ID_SIZE], value=raw[KEY_ID_SIZE:])


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        _bad_note("the text of a note ends in a newline")
    if _CONTROL.search(text):
        _bad_note("a note holds no control character but the newline")


def _bad_note(message: str) -> NoReturn:
    raise AuditError("bad_note", message, field="note") from None


def _bad_key(message: str) -> NoReturn:
    raise AuditError("bad_key", message, field="key") from None
