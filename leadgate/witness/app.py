"""The witness over HTTP: one address that signs, one that shows. Refuses what it cannot bound; answers no word it was sent.

=================================  ==================================================================
POST /add-checkpoint               C2SP tlog-witness: 200 and a signature line; 400 403 404 409 413 422 503
GET  /<hash of origin>/checkpoint  the last checkpoint it signed of that log, for monitors
GET  /healthz                      200 while the process answers
=================================  ==================================================================

There is no authentication but the log's signature: put TLS, and limits by address, in front of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from leadgate.logging import get_logger
from leadgate.witness.request import MAX_BODY, parse
from leadgate.witness.watching import ConflictError, Witness
from schemas.errors import IntakeError, StorageUnavailableError

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessLimits:
    """What the service allows itself."""

    body_seconds: float = 10.0  # for a whole body to arrive
    max_in_flight: int = 64


def create_app(witness: Witness, *, limits: WitnessLimits | None = None) -> FastAPI:
    """Build the service."""
    desk = _Desk(witness, limits or WitnessLimits())
    app = FastAPI(title="Leadgate witness", docs_url=None, redoc_url=None, openapi_url=None)
    # Plain routes: nothing here is validated by the framework, and its own errors would quote the request.
    app.add_route("/add-checkpoint", desk.add_checkpoint, methods=["POST"])
    app.add_route("/healthz", desk.healthz, methods=["GET"])
    app.add_route("/{origin}/checkpoint", desk.checkpoint, methods=["GET"])
    return app


class _Desk:
    def __init__(self, witness: Witness, limits: WitnessLimits) -> None:
        self._witness = witness
        self._limits = limits
        self._in_flight = 0
        self._origins = {sha256(origin.encode()).hexdigest(): origin for origin in witness.origins}

    async def healthz(self, _request: Request) -> Response:
        return _text(200, "ok")

    async def checkpoint(self, request: Request) -> Response:
        origin = self._origins.get(request.path_params["origin"])
        try:
            note = await run_in_threadpool(self._witness.last, origin) if origin else None
        except StorageUnavailableError as error:
            return _text(503, error.message)
        return _text(200, note, end="") if note else _text(404, "nothing was signed of that log")

    async def add_checkpoint(self, request: Request) -> Response:
        self._in_flight += 1
        try:
            if self._in_flight > self._limits.max_in_flight:
                return _text(503, "too many requests at once")
            response, code = await self._answer(request)
        finally:
            self._in_flight -= 1
        _log.info("asked to sign a checkpoint", status=response.status_code, code=code)
        return response

    async def _answer(self, request: Request) -> tuple[Response, str]:
        try:
            body = await self._body(request)
            line = await run_in_threadpool(lambda: self._witness.add_checkpoint(parse(body)))
        except ConflictError as conflict:
            size = f"{conflict.size}\n"
            return Response(size.encode(), status_code=409, headers={"content-type": "text/x.tlog.size"}), conflict.code
        except IntakeError as error:
            return _text(error.status, error.message), error.code
        except StorageUnavailableError as error:
            return _text(503, error.message), error.code
        except ClientDisconnect:
            return Response(status_code=499), "gone"
        except Exception as error:  # noqa: BLE001 - the last wall: nothing of a fault may reach the server's own log
            _log.error("unexpected fault", error_type=type(error).__name__)
            return _text(500, "the witness failed; nothing was signed"), "internal"
        return _text(200, line, end=""), "signed"

    async def _body(self, request: Request) -> bytes:
        """Return the whole body. Raises IntakeError 408, 413 or 415."""
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise IntakeError("content_encoding", "send the body uncompressed", status=415)
        pieces = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for piece in request.stream():
                    pieces += piece
                    if len(pieces) > MAX_BODY:
                        raise IntakeError("body_too_large", f"a request has at most {MAX_BODY} bytes", status=413)
        except TimeoutError:
            raise IntakeError("body_late", "the body did not arrive in time", status=408) from None
        return bytes(pieces)


def _text(status: int, words: str, *, end: str = "\n") -> Response:
    return Response(f"{words}{end}".encode(), status_code=status, headers={"content-type": "text/plain; charset=utf-8"})
