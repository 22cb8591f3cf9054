"""Connectors are found by their folders; strangers' by entry point, and they cannot take a name of ours."""

from __future__ import annotations

import pytest

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Endpoint
from integrations.contract.source import Source, SourceSettings
from schemas.errors import ConfigurationError
from schemas.personal import Personal


def endpoint() -> Endpoint:
    return Endpoint(
        destination="crm",
        base_url="https://crm.example.org",
        hosts=frozenset({"crm.example.org"}),
        login="login",
        secret=Personal("invented"),
    )


def test_our_connectors_are_found() -> None:
    assert {"json_crm", "salesforce", "soap_call_center"} <= set(registry.destinations())
    assert {"moderation_export", "moderation_webhook", "vk"} <= set(registry.sources())


@pytest.mark.parametrize("name", registry.destinations())
def test_every_manifest_is_sound(name: str) -> None:
    manifest = registry.manifest(name)
    assert manifest.name == name
    assert {"ru", "en"} <= set(manifest.title)
    assert (registry.folder(name) / "README.md").is_file()


@pytest.mark.parametrize("name", registry.destinations())
def test_every_destination_is_built_without_connecting(name: str) -> None:
    destination = registry.destination(name, endpoint())
    assert isinstance(destination, Destination)
    destination.close()


def test_a_source_is_built_from_its_settings() -> None:
    source = registry.source(SourceSettings(name="lada_webhook", connector="moderation_webhook", brand="lada"))
    assert isinstance(source, Source)
    assert source.settings.name == "lada_webhook"


@pytest.mark.parametrize("name", ["json_crn", "../../etc", ""])
def test_an_unknown_destination_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.manifest(name)
    assert caught.value.code == "unknown_connector"


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'json_crm'"):
        registry.destination("jsoncrm", endpoint())
    with pytest.raises(ConfigurationError, match="did you mean 'moderation_export'"):
        registry.source(SourceSettings(name="x", connector="moderation_exports"))
