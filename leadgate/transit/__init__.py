"""HashiCorp Vault's Transit engine as the place where keys live. The only home of hvac."""

from __future__ import annotations

from leadgate.transit.service import TransitService
from leadgate.transit.wire import TransitAddress

__all__ = ["TransitAddress", "TransitService"]
