"""The command line: one sentence a command, counts and ids on the screen, never a person.

Exit codes: 0 done; 1 the books do not close, or a check failed; 2 wrong usage or configuration (the operator acts); 3 a
destination or the ledger failed (try again or look there); 4 the log does not verify (stop and call someone).
"""

from leadgate.cli.app import main

__all__ = ["main"]
