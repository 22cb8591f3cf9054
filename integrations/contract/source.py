"""The base classes of every source. A source verifies who speaks and says what bytes mean; it decides and remembers nothing.

Two shapes: a ``WebhookSource`` turns one HTTP request into submissions and a reply; a ``FileSource`` turns one file into
submissions. Both parse a stored submission later, in another process, from its bytes alone: ``parse`` MUST be a pure function
of ``Submission`` and the source's settings, and MUST NOT raise for anything the bytes contain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, ClassVar

from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Parsed, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One configured source of leadgate.yaml. ``secrets``: newest first; several while a key is being rotated."""

    name: str
    connector: str
    brand: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Personal[str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An inbound HTTP request; header names are lower case. ``body`` is the raw bytes, already bounded in size."""

    headers: Mapping[str, str]
    body: Personal[bytes]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the platform wants to read once everything was committed."""

    status: int = 200
    media_type: str = "application/json"
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What a request amounts to. ``reply`` is sent only after ``submissions`` are committed."""

    submissions: tuple[Submission, ...]
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrigin:
    """What a file is called and which bytes it has: ``digest`` is keyed (it is stored), never a bare hash of contents."""

    name: str
    digest: str


class Source(ABC):
    """One configured source."""

    name: ClassVar[str]  # the connector's name, equal to its folder's

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings

    @abstractmethod
    def parse(self, submission: Submission) -> Parsed:
        """Say what the bytes mean: a LeadDocument (input of LeadSchema), a Withdrawal, or Unparsable. Never raises."""


class WebhookSource(Source):
    """A source that is spoken to over HTTP. Without secrets it can parse what was stored, and receives nothing."""

    #: Whether the platform reads ``Retry-After`` only as a date. RFC 9110, 10.2.3 allows both; seconds need no common clock.
    retry_after_as_date: ClassVar[bool] = False

    def require_secrets(self) -> None:
        """Raise ConfigurationError unless this source can verify who speaks; an intake service asks before it listens."""
        if not self.settings.secrets:
            raise ConfigurationError(
                "secret_missing",
                "set the connection's password to the shared secret",
                field=f"sources.{self.settings.name}.connection",
            )

    @abstractmethod
    def receive(self, request: Request) -> Reception:
        """Verify ``request`` before parsing it. Raises IntakeError with the HTTP status the platform understands."""


class FileSource(Source):
    """A source that drops files."""

    @abstractmethod
    def accepts(self, file_name: str) -> bool:
        """Whether a file of this name is one of ours and finished (not ``.part``, ``.tmp``, hidden ...)."""

    @abstractmethod
    def read(self, stream: BinaryIO, origin: FileOrigin) -> Iterator[Submission]:
        """Yield one submission a row, in bounded memory; a row that cannot be read is a submission that parses to Unparsable.

        Raises IntakeError if the file as a whole cannot be read (no rows were yielded yet, or the rest is lost; both are said).
        """
