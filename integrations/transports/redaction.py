"""What the HTTP libraries may write into a log: never an address with its path and query, never a body.

Some vendors put the secret into the URL (Bitrix24's path, VICIdial's and Voximplant Kit's query), and urllib3 logs every URL at
DEBUG. A switch that somebody turns on at night must not be a leak, so this is a filter and not a level.
"""

from __future__ import annotations

import logging
import re

#: Loggers that write addresses; what stands in their records is masked.
_ADDRESS_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.poolmanager", "urllib3.util.retry", "requests")

_ADDRESS = re.compile(r"^/|://|\?")


def _masked(argument: object) -> object:
    if isinstance(argument, BaseException):
        return type(argument).__name__
    if isinstance(argument, str) and _ADDRESS.search(argument):
        return "<address>"
    return argument


class _MaskAddresses(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(argument) for argument in record.args)
        record.exc_info = None  # a chained urllib3 error quotes the address
        return True


class _OnlyTrouble(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        # A template may be logged; its arguments are bodies. At WARNING and above only the template survives.
        record.msg, record.args = (record.msg if record.args else "<message>"), None
        record.exc_info = None
        return record.levelno >= logging.WARNING


def mute_bodies(logger_name: str) -> None:
    """Let ``logger_name`` (a library that logs what it sends, such as zeep.transports) say nothing of its arguments."""
    logger = logging.getLogger(logger_name)
    if not any(isinstance(found, _OnlyTrouble) for found in logger.filters):
        logger.addFilter(_OnlyTrouble())


def mask_addresses() -> None:
    """Put the filter on the HTTP libraries' loggers; safe to call many times."""
    for name in _ADDRESS_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(found, _MaskAddresses) for found in logger.filters):
            logger.addFilter(_MaskAddresses())
