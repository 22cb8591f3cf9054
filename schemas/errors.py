"""Every error Leadgate raises, on one screen, cut by who must act.

``str(error)`` never holds a value that came from outside: only codes, field names, ids and our own sentences. A refusal
of one lead is no error: it is a ``Verdict``.

=====================  =============================================================================
ConfigurationError     the operator: the message names the file, the key and the mend
  StorageUnavailable   the operator: database unreachable, disk full; nothing was acknowledged
IntakeError            the sender: its request or file was refused; the code says why
DeliveryError          cut again by what happens next:
  TransientError       the scheduler tries again, not before ``retry_after``
  TerminalError        a person looks; trying again changes nothing
  UncertainError       we do not know whether it arrived: read back before anything is sent again
VaultError             a seal does not open: key destroyed, key missing, or the bytes were changed
AuditError             stop and call someone: the log does not hold what it must
=====================  =============================================================================
"""

from __future__ import annotations


class LeadgateError(Exception):
    """Root of the tree.

    ``code`` is a stable lower-case word for logs and tests; ``message`` is our own sentence; ``field`` names a field or
    key, never a value.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field

    def __str__(self) -> str:
        where = f" [{self.field}]" if self.field else ""
        return f"{self.code}{where}: {self.message}"

    def diagnostics(self) -> str:
        """What a person at a terminal reads; the same promise holds: no value from outside."""
        return str(self)


class ConfigurationError(LeadgateError):
    """The operator must change something; ``field`` is the place to fix, as ``file: key.path``."""


class StorageUnavailableError(ConfigurationError):
    """The ledger cannot be written or read. Nothing was acknowledged to anybody."""


class IntakeError(LeadgateError):
    """The sender's request or file was refused. ``status`` is the HTTP status an intake service answers with."""

    def __init__(self, code: str, message: str, *, field: str | None = None, status: int = 400) -> None:
        super().__init__(code, message, field=field)
        self.status = status


class DeliveryError(LeadgateError):
    """A destination call failed as a whole. Per-record results are receipts, not errors."""


class TransientError(DeliveryError):
    """Nothing was written; try again. ``retry_after`` is seconds asked for by the destination, if it asked."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, retry_after: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(code, message, field=field)
        self.retry_after = retry_after
        self.throttled = throttled  # a throttle is not an outage: it must not open the circuit breaker


class TerminalError(DeliveryError):
    """Trying again changes nothing (bad credentials, wrong WSDL, forbidden). Stop this destination; a person looks."""


class UncertainError(DeliveryError):
    """The request may have been carried out. Every record of the batch must be read back before it is sent again."""


class VaultError(LeadgateError):
    """A seal does not open."""


class AuditError(LeadgateError):
    """The log does not hold what it must. Nothing is repaired automatically."""
