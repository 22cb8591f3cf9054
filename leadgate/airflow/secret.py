"""``python -m leadgate.airflow.secret NAME``: print one of this installation's secrets, made on first use.

airflow.cfg names this command instead of holding a secret. Several processes may ask at once, and all must read the same value
(with different ones each of them is healthy and every task fails), so the file comes into being whole, by a link that only one
process can make. Its mode, 0600, refuses anybody but the owner. Only the standard library: every process of Airflow runs it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import sys
from pathlib import Path

#: Bytes of randomness. Fernet wants exactly 32 in URL-safe base64; 64 suit HMAC-SHA-512, Airflow's default for tokens.
SECRETS = {"fernet_key": 32, "jwt_secret": 64, "api_secret_key": 64}

_WRONG_USE = 2


def secret(name: str, folder: Path) -> str:
    """The secret ``name`` kept in ``folder``."""
    target = folder / name
    with contextlib.suppress(FileNotFoundError):
        return target.read_text(encoding="ascii")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{name}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(SECRETS[name])).decode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its value is the one
            os.link(draft, target)
    finally:
        draft.unlink()
    return target.read_text(encoding="ascii")


def main(arguments: list[str]) -> int:
    """Print the secret without a newline; the folder is ``$AIRFLOW_HOME/.airflow/secrets``."""
    home = os.environ.get("AIRFLOW_HOME")
    if len(arguments) != 1 or arguments[0] not in SECRETS or not home:
        sys.stderr.write(f"usage: AIRFLOW_HOME=... python -m leadgate.airflow.secret {'|'.join(SECRETS)}\n")
        return _WRONG_USE
    os.umask(0o077)
    sys.stdout.write(secret(arguments[0], Path(home) / ".airflow" / "secrets"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
