"""Builds the terms a brand works under: who answers for the data, since when borders are open, when people may be called."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final

from leadgate.settings.model import BrandSettings
from schemas.controller import Controller, Party, StoragePlace
from schemas.policy import Adequacy, CallingWindow, CrossBorder, Recipient

_DAY: Final = timedelta(days=1)


def party(values: Mapping[str, Any] | None) -> Party | None:
    """A company or an authority, if the file names one."""
    return None if values is None else Party(**values)


def controller(values: Mapping[str, Any] | None) -> Controller | None:
    """Who answers for the data of a brand, if the file says so."""
    if values is None:
        return None
    given = {name: value for name, value in values.items() if name not in ("authority", "actions", "withdrawal_method")}
    if "actions" in values:
        given["actions"] = tuple(values["actions"])
    return Controller(
        withdrawal_method=MappingProxyType(values["withdrawal_method"]), authority=party(values.get("authority")), **given
    )


def storage(values: Mapping[str, Any] | None) -> StoragePlace | None:
    """Where the ledger stands, if the file says so."""
    return None if values is None else StoragePlace(**values)


def cross_borders(values: Mapping[str, Any]) -> Mapping[str, CrossBorder]:
    """By country: the basis of a transfer there."""
    return MappingProxyType({country: _cross_border(country, each) for country, each in values.items()})


def _cross_border(country: str, values: Mapping[str, Any]) -> CrossBorder:
    decided: date | None = values.get("decided_on")
    last = values["date"] if values["adequacy"] is Adequacy.ADEQUATE else decided or values["date"]
    return CrossBorder(
        country=country,
        adequacy=values["adequacy"],
        notification_ref=values["notification_ref"],
        notified_on=values["date"],
        decision_ref=values.get("decision_ref"),
        # A date has no hour: what was done on it was done everywhere once the next day has begun.
        allowed_from=datetime.combine(last, time(), tzinfo=UTC) + _DAY,
    )


def calling_windows(values: Mapping[str, Any]) -> Mapping[str, CallingWindow]:
    """By country of the person: when they may be called."""
    return MappingProxyType({country: CallingWindow(**each) for country, each in values.items()})


def renewal_from(values: Mapping[str, Any]) -> datetime | None:
    """From when a notice makes consents under its earlier versions stale."""
    if not values["requires_renewal"]:
        return None
    begins: datetime = values["valid_from"]
    grace: timedelta = values.get("renew_within", timedelta())
    return begins + grace


def terms_of(brand: BrandSettings, recipients: Mapping[str, Recipient]) -> dict[str, Any]:
    """What a policy's version says of the terms the gate decides by; a term that is not used is not said."""
    said: dict[str, Any] = {
        "marketing": {code: purpose.marketing.value for code, purpose in brand.purposes.items() if purpose.marketing},
        "renewals": sorted(
            [*notice.key, notice.renewal_from.isoformat()] for notice in brand.notices.values() if notice.renewal_from
        ),
        "one_purpose_from": {country: moment.isoformat() for country, moment in brand.one_purpose_from.items()},
        "cross_border": {
            name: [each.country, each.adequacy.value, each.notification_ref, each.decision_ref, each.allowed_from.isoformat()]
            for name, recipient in recipients.items()
            if (each := recipient.cross_border) is not None
        },
        "calling_windows": {
            country: [window.begin.isoformat(), window.end.isoformat(), window.zone]
            for country, window in brand.calling_windows.items()
        },
    }
    return {name: value for name, value in said.items() if value}
