"""Which consents a newer notice makes stale. It refuses to guess: a consent is stale only where a newer version of the very
notice it was given under says so, and only from the moment which that version names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas.policy import Notice
from schemas.vocabulary import Language

#: A notice as a consent names it: id, version, language.
NoticeKey = tuple[str, str, Language]
_NOTHING: Final[Mapping[NoticeKey, datetime]] = MappingProxyType({})


def stale_from(notices: Iterable[Notice]) -> Mapping[NoticeKey, datetime]:
    """By notice: the moment from which consents under it are stale; a notice that is not named makes nothing stale.

    A version is newer if it came into force later. The language does not matter: what changed, changed in all of them, and a
    translation of the same version that was added later changes nothing.
    """
    known = tuple(notices)
    asking = [newer for newer in known if newer.renewal_from is not None]
    if not asking:
        return _NOTHING
    found: dict[NoticeKey, datetime] = {}
    for notice in known:
        moments = [newer.renewal_from for newer in asking if newer.renewal_from is not None and _replaces(newer, notice)]
        if moments:
            found[notice.key] = min(moments)
    return MappingProxyType(found)


def _replaces(newer: Notice, older: Notice) -> bool:
    return newer.notice_id == older.notice_id and newer.version != older.version and newer.valid_from > older.valid_from
