"""What every connector must do, ours or a stranger's: a pytest class to inherit. It refuses silence: a promise a connector
cannot keep stands in its manifest under ``exemptions`` with a reason, and is reported as a warning in every run.

::

    class TestJsonCrm(DestinationConformance):
        connector = "json_crm"
        simulator = JsonCrm

Each test starts the vendor's simulator as a real HTTP server, makes something go wrong and asks what the world holds.
"""

import pytest

_PARTS = ("stage", "everyday", "answers", "silence", "afterwards", "borders")
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from integrations.testing.conformance.afterwards import Afterwards  # noqa: E402 - rewriting is registered first
from integrations.testing.conformance.answers import Answers  # noqa: E402 - as above
from integrations.testing.conformance.borders import Borders  # noqa: E402 - as above
from integrations.testing.conformance.everyday import Everyday  # noqa: E402 - as above
from integrations.testing.conformance.silence import Silence  # noqa: E402 - as above
from integrations.testing.conformance.stage import ExemptionWarning, promise  # noqa: E402 - as above

__all__ = ["DestinationConformance", "ExemptionWarning", "promise"]


class DestinationConformance(Everyday, Answers, Silence, Afterwards, Borders):
    """All promises. Name ``connector`` and ``simulator``; override ``endpoint`` or ``read_body`` where a vendor differs."""
