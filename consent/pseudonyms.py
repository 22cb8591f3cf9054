"""Refuses a pseudonym without a destination. One name per lead and destination: two recipients cannot match their lists.

    base32(HMAC-SHA-256(key of the destination, lead id))[:26], lower case: 130 bits, alphabet of RFC 4648 section 6

The keys come from the stable root: a pseudonym is the record's external id at the vendor and must be the same at every attempt,
also after a rotation. It is reversible by us alone, by the lead id that stands beside it in our own ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from consent.keys.provider import STABLE_VERSION, KeyProvider, key_context, require_tenant
from schemas.errors import VaultError

LONGEST: Final = 26
#: 20 characters are 100 bits: 10**9 leads still collide with a chance below 10**-12.
SHORTEST: Final = 20

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


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
        pairs = _PAIRS

        def pseudonym(lead_id: str) -> str:
            if not lead_id:
                raise VaultError("context_missing", "a pseudonym needs a lead id", field="lead_id")
            mac = copy()
            mac.update(lead_id.encode())
            # The first 130 bits as two halves of 60 and 70. The standard library's base32 costs four times the MAC, pairs of
            # characters as much as it; a table of threes is larger than a processor's cache and costs twice that.
            bits = int.from_bytes(mac.finalize()[:17], "big") >> 6
            high, low = bits >> 70, bits & 0x3FFFFFFFFFFFFFFFFF
            return (
                f"{pairs[high >> 50]}{pairs[high >> 40 & 1023]}{pairs[high >> 30 & 1023]}{pairs[high >> 20 & 1023]}"
                f"{pairs[high >> 10 & 1023]}{pairs[high & 1023]}{pairs[low >> 60]}{pairs[low >> 50 & 1023]}"
                f"{pairs[low >> 40 & 1023]}{pairs[low >> 30 & 1023]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}"
                f"{pairs[low & 1023]}"
            )

        if key_length == LONGEST:
            return pseudonym
        return lambda lead_id: pseudonym(lead_id)[:key_length]
