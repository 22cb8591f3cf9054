"""Tells Airflow which connection types Leadgate brings, and the forms people fill in. Imports nothing: every process reads it.

In Airflow 3.3 a form comes only from ``conn-fields`` and ``ui-field-behaviour`` below; a hook's classic methods are ignored.
"""

from __future__ import annotations

from typing import Any

_HOOKS = "leadgate.airflow.hooks"

_BASE_URL_HINT = "https://crm.example.org/api"


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """One field of a form, kept in the connection's extra."""
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


_HOSTS = _field(
    "Further hosts",
    "Hosts this destination may also talk to, separated by spaces, as host or host:port. The base URL's own host is always"
    " allowed, every other one is refused.",
)


def get_provider_info() -> dict[str, Any]:
    """The entry point ``apache_airflow_provider``."""
    return {
        "package-name": "leadgate",
        "name": "Leadgate",
        "description": "Carries consented leads into call centers and CRMs, and can prove it.",
        "connection-types": [
            {
                "connection-type": "leadgate-json-crm",
                "hook-name": "Leadgate: JSON CRM",
                "hook-class-name": f"{_HOOKS}.JsonCrmHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"host": "Base URL", "password": "API token"},
                    "placeholders": {"host": _BASE_URL_HINT},
                },
                "conn-fields": {"hosts": _HOSTS},
            },
            {
                "connection-type": "leadgate-soap-call-center",
                "hook-name": "Leadgate: SOAP call center",
                "hook-class-name": f"{_HOOKS}.SoapCallCenterHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {
                        "host": "Service URL",
                        "login": "User name (WS-Security)",
                        "password": "Password (WS-Security)",
                    },
                    "placeholders": {"host": "https://dialer.example.org/call-center"},
                },
                "conn-fields": {"hosts": _HOSTS},
            },
            {
                "connection-type": "leadgate-salesforce",
                "hook-name": "Leadgate: Salesforce",
                "hook-class-name": f"{_HOOKS}.SalesforceHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {
                        "host": "My Domain URL",
                        "login": "Consumer key",
                        "password": "Consumer secret",
                    },
                    "placeholders": {"host": "https://example.my.salesforce.com"},
                },
                "conn-fields": {"hosts": _HOSTS},
            },
        ],
    }
