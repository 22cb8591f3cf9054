"""Ways into an org. It refuses to sign in anywhere but at the configured address, and to follow the org to a host that was not
allowed.

simple-salesforce can sign in by itself, but always at ``https://<domain>.salesforce.com``, without a time limit, and its
exceptions quote the answer; its renewal on 401 recurses without a bound and trips over an answer that is not JSON. So the token
is fetched here, and the client is only ever given a finished session (its first way in).

====================  ================================================================================================
``client_credentials``  login: consumer key; secret: consumer secret. The way for a server without a user.
``jwt``                 login: user name; secret: private key (PEM); option ``consumer_key``. RFC 7523.
``session``             secret: an access token somebody else fetched. Cannot be renewed.
====================  ================================================================================================
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import requests
from requests.auth import HTTPBasicAuth

from integrations.contract.manifest import Endpoint
from integrations.transports.answers import judge, read_json
from integrations.transports.http import GuardedSession, Intent
from schemas.errors import TerminalError
from schemas.personal import Personal

_TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105 - a path
_BAD_REQUEST: Final = 400  # RFC 6749 section 5.2: the status of every refusal of a token
_JWT_LIFETIME: Final = 180  # seconds; the vendor takes three minutes at most


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgSession:
    """A way in that works now."""

    token: Personal[str] = field(repr=False)
    instance_url: str
    renewable: bool


def sign_in(session: GuardedSession, endpoint: Endpoint) -> OrgSession:
    """Sign in as the endpoint says. Raises DeliveryError."""
    way = endpoint.options.get("auth", "client_credentials")
    if endpoint.secret is None:
        raise TerminalError("credentials_missing", "the connection has no secret", field=endpoint.destination)
    base_url = endpoint.base_url.rstrip("/")
    if way == "session":
        return OrgSession(token=endpoint.secret, instance_url=base_url, renewable=False)
    if not endpoint.login:
        raise TerminalError("credentials_missing", "the connection has no login", field=endpoint.destination)
    if way == "client_credentials":
        form = {"grant_type": "client_credentials"}
        basic = HTTPBasicAuth(endpoint.login.encode(), endpoint.secret.reveal().encode())
        return _fetch(session, base_url, form, basic)
    if way == "jwt":
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": _assertion(endpoint)}
        return _fetch(session, base_url, form, None)
    raise TerminalError("unknown_auth", "option auth is none of client_credentials, jwt, session", field=endpoint.destination)


def _assertion(endpoint: Endpoint) -> str:
    consumer_key = endpoint.options.get("consumer_key")
    if not isinstance(consumer_key, str) or endpoint.secret is None:
        raise TerminalError("credentials_missing", "option consumer_key is missing", field=endpoint.destination)
    claims = {
        "iss": consumer_key,
        "sub": endpoint.login,
        "aud": endpoint.options.get("audience", "https://login.salesforce.com"),
        "exp": int(time.time()) + _JWT_LIFETIME,
    }
    try:
        return jwt.encode(claims, endpoint.secret.reveal(), algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        pass
    raise TerminalError("private_key_unusable", "the secret is no RSA private key in PEM form", field=endpoint.destination)


def _fetch(session: GuardedSession, base_url: str, form: dict[str, str], auth: HTTPBasicAuth | None) -> OrgSession:
    with session.intent(Intent.READ):  # a token more or less changes nothing at the org
        response = session.post(base_url + _TOKEN_PATH, data=form, auth=auth, headers={"Accept": "application/json"})
    _expect_token(response)
    body: Any = read_json(response, Intent.READ)
    token = body.get("access_token") if isinstance(body, dict) else None
    instance = body.get("instance_url") if isinstance(body, dict) else None
    if not isinstance(token, str) or not isinstance(instance, str):
        raise TerminalError("no_token", "the token endpoint answers without a token: check base_url")
    session.guard.check(instance)
    return OrgSession(token=Personal(token), instance_url=instance.rstrip("/"), renewable=True)


def _expect_token(response: requests.Response) -> None:
    if response.status_code == _BAD_REQUEST:
        raise TerminalError("unauthorized", "the org does not accept the credentials: renew the connection's login and secret")
    error = judge(response, Intent.READ)
    if error is not None:
        raise error
