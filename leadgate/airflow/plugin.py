"""The plugin Airflow loads in every process. In those that fork task runners it imports what tasks need, before the fork.

zeep, SQLAlchemy and the rest cost more than a second to import. Forked runners inherit them, so a task starts in a tenth of
that. Processes that run no task (API server, DAG processor, triggerer) are spared.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

from leadgate.airflow.deadlines import RunCreated
from leadgate.airflow.port_zero import PortZeroIsNone

logger = logging.getLogger(__name__)

#: Commands whose process forks the runners of tasks.
_FORKING_COMMANDS = frozenset({"scheduler", "standalone", "celery"})
#: What a task of ours ends up importing, also that which its libraries import late: SQLAlchemy its dialect, that its driver
#: (of a task that sends one lead, importing psycopg was two thirds), Airflow's SDK the names a DAG file asks it for, zeep its
#: bindings.
_HEAVY_MODULES = (
    "sqlalchemy.dialects.postgresql.psycopg",
    "psycopg",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.timeout",
    "jinja2.ext",
    "leadgate.airflow.assets",
    "leadgate.airflow.deadlines",
    "leadgate.airflow.tasks",
    "leadgate.airflow.connections",
    "zeep.wsa",
    "zeep.wsdl.attachments",
    "zeep.wsdl.bindings",
    "zeep.wsdl.messages.xop",
    "leadgate.wiring",  # draws in the rest of the house
)


def preload() -> None:
    """Import what tasks need, and every connector. What does not import is the task's error to report, not the scheduler's."""
    for name in _HEAVY_MODULES:
        _try(name, partial(importlib.import_module, name))
    _try("connectors", _connectors)


def _connectors() -> None:
    from integrations import registry  # noqa: PLC0415 - only a process that forks runners pays for it

    registry.load()


def _try(what: str, load: Callable[[], object]) -> None:
    try:
        load()
    except Exception as error:  # noqa: BLE001 - whatever it is, the scheduler must live; the task says it again
        logger.warning("leadgate: %s cannot be imported ahead (%s)", what, type(error).__name__)


def _forks_tasks(arguments: list[str]) -> bool:
    return Path(arguments[0]).name == "airflow" and len(arguments) > 1 and arguments[1] in _FORKING_COMMANDS


if _forks_tasks(sys.argv):
    preload()


class LeadgatePlugin(AirflowPlugin):
    """Registered by the entry point ``airflow.plugins``."""

    name = "leadgate"
    deadline_references = [RunCreated]  # noqa: RUF012 - AirflowPlugin declares it so
    fastapi_root_middlewares = [{"name": "port zero is none", "middleware": PortZeroIsNone}]  # noqa: RUF012 - as above
