"""The web application: one address a source, and three for those who run it. It refuses in this order: an unknown source, too
many requests at once, a body beyond bounds, whatever the source refuses; and it answers 2xx only after the commit.

=====================  ================================================================================
POST /hooks/{source}   what the source's platform wants to read, after the commit
GET /healthz           200 while the process answers
GET /readyz            200 while the ledger can be written, else 503
GET /metrics           Prometheus
=====================  ================================================================================

A refusal is ``{"error": code, "message": our sentence, "field": name}``. No answer quotes what was sent; of an unexpected
fault neither answer nor log holds more than the name of its type, because database errors quote their parameters.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
from fastapi import FastAPI
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from integrations.contract.source import Request, WebhookSource
from leadgate.intake.body import ClientDisconnect, read_body
from leadgate.intake.group_commit import Commit, GroupCommit
from leadgate.intake.limits import IntakeLimits
from leadgate.intake.metrics import IntakeMetrics
from schemas.errors import IntakeError, StorageUnavailableError
from schemas.personal import Personal
from schemas.submission import Received

__all__ = ["IntakeLimits", "create_app"]

log = logging.getLogger("leadgate.intake")
_encode = msgspec.json.Encoder().encode


def utc_now() -> datetime:
    return datetime.now(tz=UTC)


def create_app(
    sources: Mapping[str, WebhookSource],
    commit: Commit,
    *,
    limits: IntakeLimits | None = None,
    clock: Callable[[], datetime] = utc_now,
    probe: Callable[[], object] | None = None,
    closed: Collection[str] = (),
    clocks: Callable[[], Mapping[str, int]] = dict,
) -> FastAPI:
    """Build the service. ``commit`` MUST be durable when it returns; ``probe`` raises if the ledger cannot be written.

    Without a ``probe`` readiness is asked by committing nothing. ``closed`` are sources that are configured and cannot verify
    anybody for want of a secret: their senders are asked to come back, because a 404 would make some give up for ever.
    ``clocks`` answers how many legal clocks stand how, for the page of metrics.
    """
    ready = probe or (lambda: commit(()))
    intake = Intake(sources, commit, limits=limits or IntakeLimits(), clock=clock, probe=ready, closed=closed, clocks=clocks)
    app = FastAPI(title="Leadgate intake", docs_url=None, redoc_url=None, openapi_url=None, lifespan=intake.lifespan)
    app.state.intake = intake
    # Plain routes: nothing here is validated by the framework, and its own errors would quote the request.
    app.add_route("/hooks/{source}", intake.hook, methods=["POST"])
    app.add_route("/healthz", intake.healthz, methods=["GET"])
    app.add_route("/readyz", intake.readyz, methods=["GET"])
    app.add_route("/metrics", intake.metrics_page, methods=["GET"])
    return app


class Intake:
    """The handlers and what they share."""

    def __init__(
        self,
        sources: Mapping[str, WebhookSource],
        commit: Commit,
        *,
        limits: IntakeLimits,
        clock: Callable[[], datetime],
        probe: Callable[[], object],
        closed: Collection[str],
        clocks: Callable[[], Mapping[str, int]],
    ) -> None:
        self._sources = dict(sources)
        self._closed = frozenset(closed)
        self._limits = limits
        self._clock = clock
        self._probe = probe
        self._clocks = clocks
        self._in_flight = 0
        self._metrics = IntakeMetrics()
        self._group = GroupCommit(commit, group_size=limits.group_size, on_group=self._count)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """The server ends this only after the requests in flight were answered."""
        yield
        await self._group.close()

    async def hook(self, request: HttpRequest) -> Response:
        began = time.perf_counter()
        name = request.path_params["source"]
        source = self._sources.get(name)
        known = name if source is not None or name in self._closed else "unknown"
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            response, code = self._shut() if name in self._closed else await self._answer(request, source)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
        seconds = time.perf_counter() - began
        self._metrics.requests.labels(known, code).inc()
        self._metrics.seconds.labels(known).observe(seconds)
        log.info("POST /hooks/%s %d %s %.1fms", known, response.status_code, code, seconds * 1000)
        return response

    async def healthz(self, _request: HttpRequest) -> Response:
        return Response(b"ok", media_type="text/plain")

    async def readyz(self, _request: HttpRequest) -> Response:
        try:
            async with asyncio.timeout(self._limits.commit_seconds):
                await self._group.call(self._probe)
        except Exception as error:  # noqa: BLE001 - not ready, whatever the reason; the text may quote parameters
            log.warning("not ready: %s", type(error).__name__)
            return self._later("storage_unavailable", "the ledger cannot be written")
        return Response(b"ok", media_type="text/plain")

    async def metrics_page(self, _request: HttpRequest) -> Response:
        try:
            async with asyncio.timeout(self._limits.commit_seconds):
                self._metrics.stand(await asyncio.to_thread(self._clocks))
        except Exception as error:  # noqa: BLE001 - the other figures are told all the same; the text may quote parameters
            log.warning("clocks unknown: %s", type(error).__name__)
            self._metrics.stand({})
        return Response(self._metrics.page(), headers={"content-type": self._metrics.content_type})

    async def _answer(self, request: HttpRequest, source: WebhookSource | None) -> tuple[Response, str]:
        if source is None:
            return _refusal(IntakeError("source_unknown", "no source of this name is configured", status=404))
        if self._in_flight > self._limits.max_in_flight:
            return self._later("busy", "too many requests at once", source), "busy"
        try:
            return await self._receive(request, source), "ok"
        except Exception as error:  # noqa: BLE001 - the last wall: nothing of a fault may reach the server's own log
            return self._fault(error, source)

    def _shut(self) -> tuple[Response, str]:
        return self._later("source_closed", "this source has no secret here yet; the operator must add it"), "source_closed"

    def _fault(self, error: Exception, source: WebhookSource) -> tuple[Response, str]:
        if isinstance(error, IntakeError):
            return _refusal(error)
        if isinstance(error, StorageUnavailableError):
            log.error("ledger unavailable: %s", error.code)
            message = "the ledger cannot be written; nothing was stored"
            return self._later("storage_unavailable", message, source), "storage_unavailable"
        if isinstance(error, TimeoutError):
            return self._later("commit_late", "the ledger is slow; send the same event again", source), "commit_late"
        if isinstance(error, ClientDisconnect):
            return Response(status_code=499), "gone"
        log.error("unexpected %s", type(error).__name__)
        return _json(500, {"error": "internal", "message": "the service failed; nothing was acknowledged"}), "internal"

    async def _receive(self, request: HttpRequest, source: WebhookSource) -> Response:
        body = await read_body(request, self._limits)
        # Header names are lower case here; of a repeated header the first counts, for everyone who reads it.
        headers = dict(reversed(request.headers.items()))
        reception = source.receive(Request(headers=headers, body=Personal(body), received_at=self._clock()))
        if reception.submissions:
            async with asyncio.timeout(self._limits.commit_seconds):
                await self._group.add(reception.submissions)
        reply = reception.reply
        return Response(reply.body, status_code=reply.status, headers={"content-type": reply.media_type})

    def _later(self, code: str, message: str, source: WebhookSource | None = None) -> Response:
        response = _json(503, {"error": code, "message": message})
        seconds = self._limits.retry_after
        dated = source is not None and source.retry_after_as_date
        when = format_datetime(self._clock() + timedelta(seconds=seconds), usegmt=True) if dated else str(seconds)
        response.headers["retry-after"] = when
        return response

    def _count(self, size: int, received: Received) -> None:
        self._metrics.group.observe(size)
        self._metrics.new.inc(received.new)
        self._metrics.repeated.inc(received.repeated)


def _refusal(error: IntakeError) -> tuple[Response, str]:
    content = {"error": error.code, "message": error.message}
    if error.field is not None:
        content["field"] = error.field
    return _json(error.status, content), error.code


def _json(status: int, content: Mapping[str, str]) -> Response:
    return Response(_encode(content), status_code=status, media_type="application/json")
