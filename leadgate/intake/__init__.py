"""The intake service: webhooks over HTTP, without Airflow.

It refuses what it cannot bound (size, time, number of requests in flight) and says 2xx to nobody before the ledger has
committed. No answer, log line or metric holds a value that came in.
"""

from leadgate.intake.app import IntakeLimits, create_app
from leadgate.serving import serve

__all__ = ["IntakeLimits", "create_app", "serve"]
