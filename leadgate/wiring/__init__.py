"""Puts the house together: settings, keys, ledger, connectors and the pipeline's verbs.

The doors (command line, intake, Airflow) ask it for a ``House`` and say one verb.
"""

from leadgate.wiring.credentials import Credential, Credentials, environment_credentials
from leadgate.wiring.house import House, open_house

__all__ = ["Credential", "Credentials", "House", "environment_credentials", "open_house"]
