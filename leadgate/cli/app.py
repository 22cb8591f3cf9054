"""The one place where an error becomes words and an exit code. Importing the command modules registers their commands."""

from __future__ import annotations

import sys

from rich.text import Text

from leadgate.cli import (
    analytics,
    cases,
    clocks,
    consent,
    destruction,
    evidence,
    keys,
    log,
    notice,
    operate,
    package,
    people,
    receipts,
    withdrawals,
    witness,
    work,
)
from leadgate.cli.root import app, screen
from schemas.errors import AuditError, ConfigurationError, IntakeError, LeadgateError, StorageUnavailableError

#: Exit codes, by who must act.
_OPERATOR, _ELSEWHERE, _LOG = 2, 3, 4
#: Ctrl-C, as shells number it.
_INTERRUPTED = 130
COMMANDS = (
    work,
    people,
    evidence,
    operate,
    keys,
    witness,
    destruction,
    notice,
    package,
    log,
    withdrawals,
    cases,
    clocks,
    consent,
    receipts,
    analytics,
)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except LeadgateError as error:
        screen.err.print(Text("error ", style="bold red").append(error.diagnostics(), style="none"))
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _exit_code(error: LeadgateError) -> int:
    if isinstance(error, AuditError):
        return _LOG
    if isinstance(error, StorageUnavailableError):
        return _ELSEWHERE
    return _OPERATOR if isinstance(error, ConfigurationError | IntakeError) else _ELSEWHERE
