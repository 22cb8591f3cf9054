"""One library, one home: whoever looks for all that touches SQL, SOAP or a cipher looks in one place."""

from __future__ import annotations

import re
import sys

from importlinter.cli import lint_imports

from tests.architecture.tree import PACKAGES, ROOT, breach, modules, project, refuse, refuse_idle

#: Every library the product imports, and the folders or files that may.
HOMES = {
    # the contract
    "marshmallow": ("schemas",),
    "phonenumbers": ("schemas/fields",),
    "email_validator": ("schemas/fields",),
    # the decisions
    "cryptography": ("consent", "leadgate/documents/auditor"),  # the auditor's script shares no code with us, by intent
    "holidays": ("consent/clocks.py",),
    # spelling of bytes: everywhere where something is read or written as JSON
    "msgspec": ("schemas", "consent", "integrations", "leadgate"),
    "yaml": ("integrations/contract/loading.py", "leadgate/settings"),
    # the vendors
    "requests": ("integrations",),
    "urllib3": ("integrations/transports",),
    "zeep": ("integrations/transports",),
    "lxml": ("integrations",),
    "simple_salesforce": ("integrations/destinations/salesforce",),
    "jwt": ("integrations/destinations/salesforce",),
    "standardwebhooks": ("integrations/sources/moderation_webhook", "leadgate/demo"),  # the demo plays the sender
    "python_calamine": ("integrations/sources/moderation_export",),
    "charset_normalizer": ("integrations/sources/moderation_export",),
    "pytest": ("integrations/testing/conformance",),
    # the shell
    "sqlalchemy": ("leadgate/storage",),
    "alembic": ("leadgate/storage",),
    "psycopg": ("leadgate/storage", "leadgate/postgres.py"),
    "fastapi": ("leadgate/intake", "leadgate/witness", "leadgate/console", "leadgate/serving.py"),
    "starlette": ("leadgate/intake", "leadgate/witness", "leadgate/console"),
    "uvicorn": ("leadgate/serving.py",),
    "prometheus_client": ("leadgate/intake",),
    "typer": ("leadgate/cli",),
    "rich": ("leadgate/cli", "leadgate/demo", "leadgate/rendering.py"),
    "structlog": ("leadgate/logging.py",),
    "upath": ("leadgate/wiring",),
    "typst": ("leadgate/documents",),
    "jinja2": ("leadgate/documents",),
    "httpx": ("leadgate/demo", "leadgate/stack.py", "leadgate/pipeline/cosign.py", "leadgate/pipeline/mirror.py"),
    "hvac": ("leadgate/transit",),
    # the scheduler
    "airflow": ("leadgate/airflow", "dags"),
    "asyncpg": ("leadgate/airflow",),
}


def test_every_library_is_imported_at_home_only() -> None:
    breaches = []
    used = set()
    for module in modules(*PACKAGES, "dags"):
        for line, name in module.imports():
            library = name.partition(".")[0]
            if library in sys.stdlib_module_names or library in PACKAGES:
                continue
            used.add(library)
            homes = HOMES.get(library)
            if homes is None:
                breaches.append(breach(module.place, line, f"{library} has no home yet"))
            elif not any(module.place == home or module.place.startswith(f"{home}/") for home in homes):
                breaches.append(breach(module.place, line, f"{library} lives in {' and '.join(homes)}"))
    refuse(breaches, "call what its home offers; or give the library a home in HOMES, and review it as a dependency")
    refuse_idle(HOMES, used, "tests/architecture/test_homes.py")


def test_what_is_imported_is_asked_for() -> None:
    """A library that only another one brings may leave with it."""
    asked = {_import_name(line) for line in project()["project"]["dependencies"]}  # type: ignore[index]
    asked |= {"pytest"}  # a stranger's connector that runs the conformance suite brings its own
    asked |= {"starlette"} if "fastapi" in asked else set()  # the same release train; fastapi re-exports it
    used = {
        (module.place, line, name.partition(".")[0]) for module in modules(*PACKAGES, "dags") for line, name in module.imports()
    }
    refuse(
        (
            breach(place, line, f"{library} is not among the dependencies")
            for place, line, library in used
            if library not in asked | set(PACKAGES) | set(sys.stdlib_module_names)
        ),
        "add it to dependencies in pyproject.toml and run `make lock`",
    )


#: Where a distribution is imported under another name than its own.
_IMPORTED_AS = {
    "apache-airflow": "airflow",
    "pyjwt": "jwt",
    "pyyaml": "yaml",
    "universal-pathlib": "upath",
}


def _import_name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    name = found.group().lower()
    return _IMPORTED_AS.get(name, name.replace("-", "_"))


def test_imports_go_one_way() -> None:
    """The contracts of pyproject.toml, as `make lint` runs them."""
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, "see the contract printed above"


def test_every_room_of_the_shell_has_a_floor() -> None:
    """A new package in leadgate/ must join a layer, or imports through it would go unseen."""
    contracts = project()["tool"]["importlinter"]["contracts"]  # type: ignore[index]
    layered = {
        name
        for contract in contracts
        if contract.get("containers") == ["leadgate"]
        for layer in contract["layers"]
        for name in re.findall(r"\w+", layer)
    }
    rooms = {path.parent.name for path in (ROOT / "leadgate").glob("*/__init__.py")}
    refuse(
        (f"leadgate/{room}/ is in no layer" for room in rooms - layered),
        'name it in the contract "The shell" of pyproject.toml',
    )
