"""The plugin Airflow loads in every process. In those that fork task runners it imports what tasks need, before the fork.

zeep, SQLAlchemy and the rest cost more than a second to import. Forked runners inherit them, so a task starts in a tenth of
that. Processes that run no task (API server, DAG processor, triggerer) are spared.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

logger = logging.getLogger(__name__)

#: Commands whose process forks the runners of tasks.
_FORKING_COMMANDS = frozenset({"scheduler", "standalone", "celery"})
#: What a task of ours ends up importing; the last one draws in the rest of the house.
_HEAVY_MODULES = ("zeep", "requests", "simple_salesforce", "sqlalchemy", "phonenumbers", "leadgate.wiring")


def preload() -> None:
    """Import what tasks need. A module that does not import is the task's error to report, not the scheduler's."""
    for name in _HEAVY_MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the scheduler must live; the task says it again
            logger.warning("leadgate: %s cannot be imported ahead (%s)", name, type(error).__name__)


def _forks_tasks(arguments: list[str]) -> bool:
    return Path(arguments[0]).name == "airflow" and len(arguments) > 1 and arguments[1] in _FORKING_COMMANDS


if _forks_tasks(sys.argv):
    preload()


class LeadgatePlugin(AirflowPlugin):
    """Registered by the entry point ``airflow.plugins``."""

    name = "leadgate"
