"""Reads the body of a request. It refuses one that is larger than allowed, by its own word or in fact, compressed, or late."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from leadgate.intake.limits import IntakeLimits
from schemas.errors import IntakeError

#: A sender reads our 413 only after it has sent everything; up to this many times the limit is read and thrown away for that.
_DRAINED = 8

__all__ = ["ClientDisconnect", "read_body"]


async def read_body(request: Request, limits: IntakeLimits) -> bytes:
    """Return the whole body. Raises IntakeError 408, 413 or 415, and ClientDisconnect."""
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise IntakeError("content_encoding", "send the body uncompressed", field="content-encoding", status=415)
    told = headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told[:16]) > limits.max_body * _DRAINED:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _collect(request, limits)
    except TimeoutError:
        raise IntakeError("body_late", "the body did not arrive in time", status=408) from None


async def _collect(request: Request, limits: IntakeLimits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= limits.max_body:
            pieces.append(piece)
        else:  # nothing is kept any more
            pieces.clear()
            if size > limits.max_body * _DRAINED:
                break
    if size > limits.max_body:
        raise _too_large(limits)
    return b"".join(pieces)


def _too_large(limits: IntakeLimits) -> IntakeError:
    return IntakeError("body_too_large", f"a body has at most {limits.max_body} bytes", status=413)
