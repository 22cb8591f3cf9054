"""Credentials come from Airflow connections or the environment, and nowhere else; they are never printed.

Outside a task, ``AIRFLOW_CONN_<ID>`` is read in its JSON form, so that one variable serves the scheduler and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from integrations.contract.manifest import Endpoint, Limits
from schemas.errors import ConfigurationError
from schemas.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One connection. ``base_url`` is the whole address; ``hosts`` are further hosts that may be spoken to."""

    base_url: str = ""
    login: str | None = None
    secret: Personal[str] | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def secrets(self) -> tuple[Personal[str], ...]:
        """The secret's words, newest first: several stand side by side while one is being replaced."""
        return tuple(Personal(word) for word in self.secret.reveal().split()) if self.secret else ()

    def endpoint(self, destination: str, *, options: Mapping[str, Any], limits: Limits | None) -> Endpoint:
        """Where a destination is, for its connector. Raises ConfigurationError if the address is no http(s) URL."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                "bad_address",
                "the connection's host must be a whole URL, as https://crm.example.org/api",
                field=f"connection of {destination}",
            )
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
        return Endpoint(
            destination=destination,
            base_url=self.base_url,
            hosts=self.hosts | {host},
            login=self.login,
            secret=self.secret,
            options={**self.extra, **options},
            limits=limits,
        )


#: From a connection id to its credential. Raises ConfigurationError if there is none.
Credentials = Callable[[str], Credential]


def credential_of(*, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]) -> Credential:
    """From the fields of an Airflow connection."""
    hosts = extra.get("hosts") or ""
    return Credential(
        base_url=host or "",
        login=login or None,
        secret=Personal(password) if password else None,
        hosts=frozenset(str(hosts).split()),
        extra={name: value for name, value in extra.items() if name != "hosts"},
    )


def environment_credentials(env: Mapping[str, str]) -> Credentials:
    """Read ``AIRFLOW_CONN_<ID>`` (JSON) from ``env``."""

    def find(connection_id: str) -> Credential:
        name = f"AIRFLOW_CONN_{connection_id.upper()}"
        text = env.get(name)
        if not text:
            raise ConfigurationError(
                "no_connection",
                "there is no such connection; add it in Airflow (Admin, Connections) or set the variable",
                field=name,
            )
        try:
            found = msgspec.json.decode(text, type=dict[str, Any])
            extra = found.get("extra") or {}
            extra = msgspec.json.decode(extra, type=dict[str, Any]) if isinstance(extra, str) else dict(extra)
        except (msgspec.DecodeError, TypeError, ValueError):
            raise ConfigurationError(
                "bad_connection", 'outside Airflow the variable must be JSON: {"conn_type": ..., "host": ...}', field=name
            ) from None
        return credential_of(host=found.get("host"), login=found.get("login"), password=found.get("password"), extra=extra)

    return find
