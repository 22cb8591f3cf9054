"""Airflow's connections as our credentials. Refuses a connection without a whole address, and to show what is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from leadgate.wiring import Credential


def airflow_credentials(connection_id: str) -> Credential:
    """What ``leadgate.wiring.open_house(credentials=...)`` asks for; read each time, so a rotation takes effect."""
    from leadgate.wiring.credentials import credential_of  # noqa: PLC0415 - a DAG file that is parsed needs no house

    connection = BaseHook.get_connection(connection_id)
    return credential_of(
        host=connection.host, login=connection.login, password=connection.password, extra=connection.extra_dejson
    )
