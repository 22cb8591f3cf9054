"""A connector is one folder: everything about a vendor is in it, and nothing about a vendor is outside of it."""

from __future__ import annotations

import ast
import re

from integrations import registry
from tests.architecture.tree import ROOT, breach, modules, refuse, refuse_idle

_DESTINATIONS = ROOT / "integrations/destinations"
_SOURCES = ROOT / "integrations/sources"
_TESTS = ROOT / "tests/integrations"

#: Who may name a connector outside its folder, and why.
NAMES_A_CONNECTOR = {
    "leadgate/airflow/hooks.py": "one connection type, with its form and its test, for each connector",
    "schemas/vocabulary.py": "vk is a channel people write on before it is a source",
}
#: Made for it: the demo shows the shipped connectors, the simulators stand in for their vendors.
_ABOUT_CONNECTORS = ("leadgate/demo/", "integrations/testing/", "integrations/destinations/", "integrations/sources/")


def test_a_destination_brings_its_manifest_readme_fixtures_and_conformance() -> None:
    missing = []
    for name in registry.destinations():
        folder = registry.folder(name)
        wanted = {
            "connector.yaml": (folder / "connector.yaml").is_file(),
            "README.md (credentials, sandbox, limits, quirks)": (folder / "README.md").is_file(),
            "fixtures/<situation>/": any((folder / "fixtures").glob("*/expected.json")),
            f"tests/integrations/destinations/ with connector = {name!r}": _has_conformance(name),
        }
        missing += [f"integrations/destinations/{name}: no {what}" for what, there in wanted.items() if not there]
    refuse(missing, "docs/adding-a-destination.md tells what each is for; copy json_crm or soap_call_center")


def _has_conformance(name: str) -> bool:
    for path in (_TESTS / "destinations").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            inherits = any(getattr(base, "id", "").endswith("Conformance") for base in node.bases)
            named = any(
                isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) and line.value.value == name
                for line in node.body
            )
            if inherits and named:
                return True
    return False


def test_a_source_is_tried_under_its_own_name() -> None:
    refuse(
        (
            f"integrations/sources/{name}: no tests"
            for name in registry.sources()
            if not any((_TESTS / "sources" / name).glob("test_*.py"))
        ),
        "try it with what people really send, in tests/integrations/sources/<name>/",
    )


def test_every_folder_is_a_connector() -> None:
    """A folder the registry does not find is dead, or half a connector."""
    folders = {path.parent for base in (_DESTINATIONS, _SOURCES) for path in base.glob("*/__init__.py")}
    known = {_DESTINATIONS / name for name in registry.destinations()} | {_SOURCES / name for name in registry.sources()}
    refuse((f"{path.relative_to(ROOT)}: the registry does not find it" for path in folders - known), "finish it or remove it")


def test_no_connector_is_named_outside_its_folder() -> None:
    """Capabilities are asked for; who asks for a name has begun to write `if destination == ...`."""
    names = {*registry.destinations(), *registry.sources()}
    word = re.compile(
        rf"(?<![a-z]){'|'.join(sorted(names | {name.replace('_', '-') for name in names}))}(?![a-z])", re.IGNORECASE
    )
    found = {}
    for module in modules("schemas", "consent", "integrations", "leadgate", "dags"):
        if module.place.startswith(_ABOUT_CONNECTORS):
            continue
        sayings = module.docstrings()
        for node in module.nodes():
            text = _said(node) if id(node) not in sayings else ""
            hit = word.fullmatch(text)
            if hit:
                found[module.place] = (getattr(node, "lineno", 1), hit.group())
    refuse(
        (breach(place, line, f"names {name}") for place, (line, name) in found.items() if place not in NAMES_A_CONNECTOR),
        "ask the manifest for the capability; put what only this vendor needs into its folder",
    )
    refuse_idle(NAMES_A_CONNECTOR, found, "tests/architecture/test_connectors.py")


def _said(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def test_connectors_do_not_know_each_other() -> None:
    breaches = []
    for kind in ("destinations", "sources"):
        for module in modules(f"integrations/{kind}"):
            parts = module.dotted.split(".")
            own = parts[2] if len(parts) > 3 or (module.path.name == "__init__.py" and len(parts) == 3) else None
            for line, name in module.imports():
                other = name.split(".")
                foreign = other[:2] == ["integrations", kind] and len(other) > 2 and (ROOT / "/".join(other[:3])).is_dir()
                if own and foreign and other[2] != own:
                    breaches.append(breach(module.place, line, f"imports {name}"))
                if (
                    own
                    and other[:1] == ["integrations"]
                    and other[1:2] == [{"destinations": "sources", "sources": "destinations"}[kind]]
                ):
                    breaches.append(breach(module.place, line, f"imports {name}"))
    refuse(breaches, "move what two share into integrations/transports, mapping or declarative")
