"""Hooks behind our connection types: they make 'Test connection' sign in and look. They write nothing and show no secret.

Tasks do not use them: a task opens the house, which builds every connector from its credentials itself.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseHook

from integrations.contract.destination import Destination
from leadgate.airflow.connections import airflow_credentials
from schemas.errors import LeadgateError


class DestinationHook(BaseHook):
    """One connection of one of our types."""

    conn_name_attr = "conn_id"
    hook_name: ClassVar[str]
    connector: ClassVar[str]

    def __init__(self, conn_id: str | None = None, **_: Any) -> None:
        super().__init__()
        self.conn_id = conn_id or self.connector

    def get_conn(self) -> Destination:
        """The connector, not yet signed in. Raises ConfigurationError naming the field of the connection to fix."""
        from integrations import registry  # noqa: PLC0415 - the vendors' libraries are heavy, and only this needs them

        credential = airflow_credentials(self.conn_id)
        # 'Test connection' runs under a random id of Airflow's, which names nothing to anybody
        found: Destination = registry.destination(self.connector, credential.endpoint(self.hook_name, options={}, limits=None))
        return found

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and look. The sentence says what to fix; it never quotes the destination's answer."""
        try:
            destination = self.get_conn()
            try:
                health = destination.check()
            finally:
                destination.close()
        except LeadgateError as error:
            return False, str(error)
        return health.ok, f"{health.message}. {health.advice}".removesuffix(". ")


class JsonCrmHook(DestinationHook):
    """``leadgate-json-crm``."""

    conn_type = "leadgate-json-crm"
    hook_name = "Leadgate: JSON CRM"
    default_conn_name = "json_crm"
    connector = "json_crm"


class SoapCallCenterHook(DestinationHook):
    """``leadgate-soap-call-center``."""

    conn_type = "leadgate-soap-call-center"
    hook_name = "Leadgate: SOAP call center"
    default_conn_name = "soap_call_center"
    connector = "soap_call_center"


class SalesforceHook(DestinationHook):
    """``leadgate-salesforce``."""

    conn_type = "leadgate-salesforce"
    hook_name = "Leadgate: Salesforce"
    default_conn_name = "salesforce"
    connector = "salesforce"
