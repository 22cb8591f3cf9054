"""Speaks to Vault over HTTP. Refuses redirects, proxies from the environment, and any host but the one it was given.

Whatever Vault answers leaves as data or as a ConfigurationError in words of ours: its own words may quote what was sent, and
hvac's hold the address. Nothing is logged here. Status codes: developer.hashicorp.com/vault/api-docs, "HTTP status codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import hvac
from hvac.adapters import RawAdapter

from schemas.errors import ConfigurationError, StorageUnavailableError
from schemas.personal import Personal

_OK: Final = frozenset({200, 204})
_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
#: Standby and recovery nodes, rate limits, sealed or in maintenance: it may answer again in a moment.
_LATER: Final = frozenset({412, 429, 472, 473, 500, 502, 503, 504})
#: Loopback may be spoken to in clear: a proxy or a test stands there.
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitAddress:
    """Where Vault is, and as whom we speak to it: a token, or AppRole's role id and secret id."""

    url: str
    secret: Personal[str] = field(repr=False)
    role_id: str | None = None
    namespace: str | None = None
    mount: str = "transit"
    key: str
    verify: bool | str = True  # or the file of a certificate authority
    timeout: float = 5.0  # seconds for a call

    def checked(self) -> TransitAddress:
        """Itself. Raises ConfigurationError for an address that would send the token in clear, or nowhere."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                "bad_address", "the host must be a whole URL, as https://vault.example.org:8200", field="keys"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigurationError("vault_without_tls", "Vault is spoken to over https only", field="keys")
        if self.verify is False:
            raise ConfigurationError("vault_without_tls", "the certificate of Vault must be verified", field="keys: verify")
        return self


class TransitWire:
    """One connection pool to one Vault. Safe to share between threads."""

    def __init__(self, address: TransitAddress) -> None:
        self._address = address.checked()
        self._client = hvac.Client(
            url=address.url,
            token="" if address.role_id else address.secret.reveal(),
            verify=address.verify,
            timeout=address.timeout,
            allow_redirects=False,
            adapter=RawAdapter,
            namespace=address.namespace,
        )
        self._client.session.trust_env = False  # neither proxies nor .netrc of the machine get the token

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The ``data`` of an answer. With role id and secret id: signs in first, and again once when the token has ended."""
        if self._address.role_id and not self._client.token:
            self._sign_in()
        status, told = self._send(method, f"/v1/{self._address.mount}/{path}", body)
        if status == _FORBIDDEN and self._address.role_id:
            self._sign_in()
            status, told = self._send(method, f"/v1/{self._address.mount}/{path}", body)
        data = told.get("data")
        if status in _OK or (status == _BAD_REQUEST and isinstance(data, Mapping) and "batch_results" in data):
            return data if isinstance(data, Mapping) else {}
        raise _refusal(status)

    def _sign_in(self) -> None:
        self._client.token = ""
        body = {"role_id": self._address.role_id, "secret_id": self._address.secret.reveal()}
        status, told = self._send("post", "/v1/auth/approle/login", body)
        auth = told.get("auth")
        if status not in _OK or not isinstance(auth, Mapping) or not isinstance(auth.get("client_token"), str):
            raise _refusal(_FORBIDDEN if status in _OK or status == _BAD_REQUEST else status)
        self._client.token = auth["client_token"]

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Mapping[str, Any]]:
        fault = ""
        try:
            response = self._client.adapter.request(method, path, raise_exception=False, json=body)
            told = response.json() if response.content else {}
            return response.status_code, told if isinstance(told, Mapping) else {}
        except ValueError:  # requests' JSON error is one; a proxy's page, say
            return response.status_code if response.status_code not in _OK else 0, {}
        except OSError as error:  # every error of requests is one: refused, timed out, certificate
            fault = type(error).__name__
        raise StorageUnavailableError(
            "vault_unreachable", f"Vault does not answer ({fault}); nothing was decided", field="keys"
        )


def _refusal(status: int) -> ConfigurationError:
    if status in _LATER:
        return StorageUnavailableError(
            "vault_unavailable", f"Vault is sealed, in maintenance or overloaded (status {status}); unseal it", field="keys"
        )
    if status == _FORBIDDEN:
        return ConfigurationError(
            "vault_refuses_us", "the token has ended or its policy does not allow this; renew the connection's", field="keys"
        )
    if status == _NOT_FOUND:
        return ConfigurationError("vault_no_key", "Vault has no such key or mount; run 'leadgate keys init'", field="keys")
    if status == _BAD_REQUEST:
        return ConfigurationError("vault_bad_request", "Vault refuses the request", field="keys")
    return ConfigurationError("vault_unexpected", f"this is not how Vault answers (status {status})", field="keys")
