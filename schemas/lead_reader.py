"""Reads lead documents of all brands. It raises nothing and answers no value: a lead, or findings."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import ValidationError

from schemas.fields.hint import Hint
from schemas.findings import findings_of
from schemas.lead import Lead
from schemas.lead_schema import LeadSchema
from schemas.policy import BrandPolicy
from schemas.verdict import Finding


class LeadReader:
    """Built once from the policies of all brands; not thread-safe."""

    def __init__(self, policies: Mapping[str, BrandPolicy]) -> None:
        self._schemas = {brand: LeadSchema(policy) for brand, policy in policies.items()}

    def read(self, document: object) -> Lead | tuple[Finding, ...]:
        """Check and normalise one document."""
        if not isinstance(document, Mapping):
            return findings_of([Hint.NOT_AN_OBJECT])
        brand = document.get("brand")
        schema = self._schemas.get(brand) if isinstance(brand, str) else None
        if schema is None:
            return findings_of({"brand": [Hint.UNKNOWN_BRAND if brand else Hint.REQUIRED]})
        try:
            lead: Lead = schema.load(document)
        except ValidationError as error:
            return findings_of(error.messages)
        return lead
