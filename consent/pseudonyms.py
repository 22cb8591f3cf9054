"""Refuses a pseudonym without a destination. One name per lead and destination: two recipients cannot match their lists.

    base32(HMAC-SHA-256(key of the destination, lead id))[:26], lower case: 130 bits, alphabet of RFC 4648 section 6

The keys come from the stable root: a pseudonym is the record's external id at the vendor and must be the same at every attempt,
also after a rotation. It is reversible by us alone, by the lead id that stands beside it in our own ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from consent.keys.provider import STABLE_VERSION, KeyProvider, key_context, require_tenant
from schemas.errors import VaultError

LONGEST: Final = 26
#: 20 characters are 100 bits: 10**9 leads still collide with a chance below 10**-12.
SHORTEST: Final = 20

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"


class Pseudonyms:
    """The pseudonyms of one tenant."""

    def __init__(self, provider: KeyProvider, tenant: str) -> None:
        self._provider = provider
        self._tenant = require_tenant(provider, tenant)

    def for_destination(self, destination: str, *, key_length: int = LONGEST) -> Callable[[str], str]:
        """A function from lead id to pseudonym; make it once per batch or worker. ``key_length`` is the manifest's."""
        if not SHORTEST <= key_length <= LONGEST:
            raise VaultError("pseudonym_length", f"a pseudonym has {SHORTEST} to {LONGEST} characters", field="key_length")
        context = key_context(tenant=self._tenant, table="leads", field="lead_ref", purpose=destination)
        # Keyed once; a copy for each lead saves the two hash blocks that keying costs.
        copy = HMAC(self._provider.derive(context, 32, STABLE_VERSION), SHA256()).copy
        threes, twos = _threes(), _twos()

        def pseudonym(lead_id: str) -> str:
            if not lead_id:
                raise VaultError("context_missing", "a pseudonym needs a lead id", field="lead_id")
            mac = copy()
            mac.update(lead_id.encode())
            # The first 130 bits as two halves: 60 = 4 x 15 and 70 = 4 x 15 + 10. The standard library's base32 costs
            # four times the MAC; tables of three characters cost half of it.
            bits = int.from_bytes(mac.finalize()[:17], "big") >> 6
            high, low = bits >> 70, bits & 0x3FFFFFFFFFFFFFFFFF
            return (
                f"{threes[high >> 45]}{threes[high >> 30 & 32767]}{threes[high >> 15 & 32767]}{threes[high & 32767]}"
                f"{threes[low >> 55]}{threes[low >> 40 & 32767]}{threes[low >> 25 & 32767]}{threes[low >> 10 & 32767]}"
                f"{twos[low & 1023]}"
            )

        if key_length == LONGEST:
            return pseudonym
        return lambda lead_id: pseudonym(lead_id)[:key_length]


@cache
def _twos() -> tuple[str, ...]:
    return tuple(a + b for a in _ALPHABET for b in _ALPHABET)


@cache
def _threes() -> tuple[str, ...]:
    return tuple(a + b for a in _ALPHABET for b in _twos())
