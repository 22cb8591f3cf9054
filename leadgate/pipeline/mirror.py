"""Copies a published log from a web server into a folder, for an audit. Refuses endless files, other places, and other logs.

Only what a verified checkpoint says that there is is asked for; what the server does not have is left out, and the audit names
it. Nothing that was fetched is believed: ``consent.audit.verify`` reads the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from consent.audit import checkpoint as checkpoints
from consent.audit.leaf import MAX_LEAF
from consent.audit.note import VerifierKey
from consent.audit.tiles import WIDTH, paths
from leadgate.pipeline.publish import CHECKPOINT
from leadgate.pipeline.shelf import Shelf
from schemas.errors import AuditError, StorageUnavailableError

#: Bytes: the largest entry bundle there can be.
_MOST: Final = WIDTH * (MAX_LEAF + 2)
#: Seconds for a connection, and for each piece of an answer.
_PATIENCE: Final = 30.0


def mirror(address: str, target: Path, keys: Sequence[VerifierKey], *, minimum: int = 0) -> int:
    """Copy the log at ``address``; answer how many files. Raises StorageUnavailableError if the server does not answer."""
    shelf = Shelf(target)
    base = address.rstrip("/")
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=_PATIENCE) as client:
        note = _get(client, f"{base}/{CHECKPOINT}")
        if note is None:
            raise StorageUnavailableError("log_not_served", "there is no checkpoint at this address", field="PLACE")
        shelf.put(CHECKPOINT, note)
        try:
            size = checkpoints.verify(note, keys).size
        except AuditError:  # the audit says what is wrong with it; whatever it claims to cover is not fetched
            return 1
        (target / "tile").mkdir(exist_ok=True)
        files = 1
        for path in paths(size, minimum=minimum):
            whole, partial, _ = path.partition(".p/")
            for name in (path, whole) if partial else (path,):
                content = _get(client, f"{base}/{name}")
                if content is not None:
                    shelf.put(name, content)
                    files += 1
                    break
    return files


def _get(client: httpx.Client, url: str) -> bytes | None:
    try:
        with client.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
            if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                return None
            if not response.is_success:
                raise StorageUnavailableError("log_not_served", "the web server does not hand the log out", field="PLACE")
            content = bytearray()
            for piece in response.iter_raw():
                content += piece
                if len(content) > _MOST:
                    raise StorageUnavailableError("log_not_served", "a file there is larger than any of a log", field="PLACE")
            return bytes(content)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise StorageUnavailableError("log_not_served", "the address of the log does not answer", field="PLACE") from None
