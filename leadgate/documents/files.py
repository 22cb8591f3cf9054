"""Files that may hold a person. They are made with mode 0600, whole or not at all, and never in place of another file."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from schemas.errors import ConfigurationError, StorageUnavailableError

_PRIVATE = 0o600


def write_private(path: Path, content: bytes) -> None:
    """Write ``content`` at ``path``, readable by its owner only. Raises ConfigurationError if something stands there."""
    beside = path.with_name(f".{secrets.token_hex(8)}.partial")  # never the name asked for: it could tell whom it is about
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)  # unlike a rename it fails if the name is taken
    except FileExistsError:
        raise ConfigurationError(
            "file_exists", "a document is never overwritten: choose another name", field="target"
        ) from None
    except OSError as error:
        raise StorageUnavailableError(
            "document_not_written", f"the document cannot be written ({type(error).__name__})", field="target"
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink()
