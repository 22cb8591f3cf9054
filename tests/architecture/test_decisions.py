"""consent/ decides and schemas/ describes: no clock, no disk, no network, no chance but through an argument."""

from __future__ import annotations

import ast

from tests.architecture.tree import breach, modules, refuse, refuse_idle

#: Calls that ask the world, by the last two words of their name.
_WORLD = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.monotonic",
    "time.sleep",
    "os.urandom", "os.getenv", "secrets.token_bytes", "secrets.token_hex", "secrets.randbits", "random.random", "random.choice",
    "uuid.uuid4", "uuid.uuid1", "Path.home", "Path.cwd", "subprocess.run", "socket.socket",
}  # fmt: skip
_WORLD_NAMES = {"open", "input", "urandom", "token_bytes", "uuid4", "print"}
_WORLD_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes", "unlink", "mkdir", "touch", "rename", "iterdir"}
_WORLD_MODULES = {"socket", "http", "urllib", "sqlite3", "subprocess", "random", "asyncio", "threading"}
#: Parts of those that only take text apart.
_PURE_PARTS = {"urllib.parse"}

#: Modules of consent/ that touch the world, and why they stand there all the same.
AT_THE_EDGE = {
    "consent/audit/export.py": "the auditor's folder is written and read without Leadgate's storage, or it proves nothing",
    "consent/keys/file.py": "a key provider: reads and makes a file of mode 0600; the decisions take it as an argument",
}


def test_decisions_ask_the_world_nothing() -> None:
    found = {}
    for module in modules("schemas", "consent"):
        for node in module.nodes():
            what = _asks(node)
            if what:
                found[module.place, node.lineno] = what  # type: ignore[attr-defined]
    refuse(
        (breach(place, line, f"asks the world: {what}") for (place, line), what in found.items() if place not in AT_THE_EDGE),
        "take it as an argument; let leadgate/ ask",
    )
    refuse_idle(AT_THE_EDGE, {place for place, _ in found}, "tests/architecture/test_decisions.py")


def _asks(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        return next((name for name in names if name.partition(".")[0] in _WORLD_MODULES and name not in _PURE_PARTS), None)
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name):
        return node.func.id if node.func.id in _WORLD_NAMES else None
    if not isinstance(node.func, ast.Attribute):
        return None
    owner = getattr(node.func.value, "id", getattr(node.func.value, "attr", ""))
    name = f"{owner}.{node.func.attr}"
    return name if name in _WORLD or node.func.attr in _WORLD_METHODS else None
