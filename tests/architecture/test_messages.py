"""What reaches a log, a screen or an exception is ours: no library's sentence, for libraries quote what they were given.

A driver's message holds the row, an HTTP client's the URL, a parser's the text it could not read. So a foreign exception is
named by its type and never asked for its words, and none travels along as the cause of ours: Airflow prints chains.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from leadgate import logging as leadgate_logging
from schemas import errors
from tests.architecture.tree import PACKAGES, Module, breach, modules, refuse, refuse_idle

#: Who may take the words of an exception that is not ours, and why they hold no value.
QUOTES = {
    "leadgate/documents/paper.py": "only single letters that typst cannot draw are kept, and they go onto the paper itself",
    "leadgate/documents/auditor/verify_evidence.py": "its own UnusableError, made of its own sentences",
    "integrations/sources/moderation_export/pickup.py": "its own _ReaderFaultError, made of a code",
    "integrations/sources/options.py": "msgspec names types and keys of leadgate.yaml, never a value; only the place is kept",
    "integrations/testing/server.py": "a simulator tells its own operator what was wrong with a knob",
    "integrations/transports/wsdl.py": "its own ValueError, made of a word",
}
#: Who may speak to the screen without the command line's console, and why.
PRINTS: dict[str, str] = {}
#: Who may use the standard library's logging instead of leadgate.logging, and why.
PLAIN_LOGGERS = {
    "leadgate/logging.py": "defines ours on top of it",
    "integrations/transports/redaction.py": "puts a filter on loggers of libraries",
    "integrations/transports/wsdl.py": "silences a library",
    "integrations/testing/server.py": "may not import leadgate; logs method and status only",
    "leadgate/airflow/alerts.py": "Airflow's own log; ids and codes in one line of JSON",
    "leadgate/airflow/plugin.py": "loaded before anything of ours; a module's name and an exception's type",
    "leadgate/airflow/tasks.py": "silences a library",
    "leadgate/airflow/triggers.py": "the triggerer's own log; an exception's type",
    "leadgate/intake/app.py": "one line a request: source, status, code, time; leadgate.logging checks it again",
    "integrations/testing/conformance/stage.py": "listens to everything that is logged, to find values in it",
}

_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.LeadgateError)}
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_LOGGERS = {"log", "_log", "logger", "_logger", "LOG", "_LOG"}


def _foreign_handlers(module: Module) -> Iterator[ast.ExceptHandler]:
    for node in module.nodes():
        if isinstance(node, ast.ExceptHandler) and node.name:
            caught = {getattr(each, "id", getattr(each, "attr", "")) for each in ast.walk(node.type)} if node.type else set()
            if not caught & _OURS:
                yield node


def test_no_foreign_exception_is_quoted() -> None:
    found = {}
    for module in modules(*PACKAGES, "dags"):
        for handler in _foreign_handlers(module):
            for node in ast.walk(handler):
                if _quotes(node, handler.name or ""):
                    found[module.place] = node.lineno  # type: ignore[attr-defined]
    refuse(
        (breach(place, line, "takes a library's words") for place, line in found.items() if place not in QUOTES),
        "say what went wrong in words of our own, with a code and a field; type(error).__name__ is allowed",
    )
    refuse_idle(QUOTES, found, "tests/architecture/test_messages.py")


def _quotes(node: ast.AST, name: str) -> bool:
    """Whether the exception is turned into text: str(), repr(), a f-string, %, .format(), .args, or handed to a logger."""
    if isinstance(node, ast.FormattedValue):
        return _is(node.value, name)
    if isinstance(node, ast.Attribute):
        return node.attr == "args" and _is(node.value, name)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return any(_is(each, name) for each in ast.walk(node.right))
    if isinstance(node, ast.Call):
        texts = isinstance(node.func, ast.Name) and node.func.id in {"str", "repr", "format", "ascii", "print"}
        logs = isinstance(node.func, ast.Attribute) and node.func.attr in {*_LEVELS, "format", "join"}
        return (texts or logs) and any(_is(each, name) for each in node.args)
    return False


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_no_foreign_exception_is_carried_along() -> None:
    refuse(
        (
            breach(module.place, node.lineno, f"raises from {ast.unparse(node.cause)}")
            for module in modules(*PACKAGES, "dags")
            for node in module.nodes()
            if isinstance(node, ast.Raise) and node.cause is not None and not isinstance(node.cause, ast.Constant)
        ),
        "raise ... from None, after taking what may be known of it",
    )


def test_no_traceback_is_written_by_hand() -> None:
    refuse(
        (
            breach(module.place, line, "imports traceback")
            for module in modules(*PACKAGES, "dags")
            for line, name in module.imports()
            if name == "traceback" and module.place not in PLAIN_LOGGERS
        ),
        "leadgate.logging writes an exception's type and the line of ours it passed through",
    )


def test_only_the_command_line_prints() -> None:
    found = {
        module.place: node.lineno
        for module in modules(*PACKAGES, "dags")
        if not module.place.startswith("leadgate/cli/")
        for node in module.nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    refuse(
        (breach(place, line, "prints") for place, line in found.items() if place not in PRINTS),
        "answer a value and let leadgate/cli show it",
    )
    refuse_idle(PRINTS, found, "tests/architecture/test_messages.py")


def test_who_logs_logs_through_the_guard() -> None:
    """leadgate.logging drops whatever is not an id, a count, a code or a field's name; plain logging drops nothing."""
    found = {
        module.place: line for module in modules(*PACKAGES, "dags") for line, name in module.imports() if name == "logging"
    }
    refuse(
        (breach(place, line, "uses plain logging") for place, line in found.items() if place not in PLAIN_LOGGERS),
        "from leadgate.logging import get_logger; below leadgate, answer a value instead of logging",
    )
    refuse_idle(PLAIN_LOGGERS, found, "tests/architecture/test_messages.py")


def test_what_is_logged_is_a_sentence_and_known_facts() -> None:
    """The guard works at run time and would write <dropped>; here the author learns it before."""
    known = leadgate_logging._CHECKS.keys() | {"exc_info"}
    breaches = []
    for module in modules(*PACKAGES, "dags"):
        for node in module.nodes():
            if not isinstance(node, ast.Call) or not _logs(node.func):
                continue
            said = node.args[0] if node.args else None
            if not isinstance(said, ast.Constant) or not isinstance(said.value, str):
                breaches.append(breach(module.place, node.lineno, "logs a sentence that is put together"))
            elif module.place not in PLAIN_LOGGERS and not leadgate_logging._EVENT.fullmatch(said.value):
                breaches.append(breach(module.place, node.lineno, "logs a sentence that the guard would drop"))
            breaches += [
                breach(module.place, node.lineno, f"logs {word.arg or '**'}, which the guard would drop")
                for word in node.keywords
                if word.arg not in known and module.place not in PLAIN_LOGGERS
            ]
    refuse(
        breaches, "a fixed sentence, and facts under the keys of leadgate.logging; widen that list only for what names nobody"
    )


def _logs(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and called.attr in _LEVELS
        and (getattr(called.value, "id", None) in _LOGGERS or getattr(called.value, "attr", None) in _LOGGERS)
    )


#: Names under which values of people or vendors travel.
_SUSPECTS = {
    "answer", "body", "content", "data", "document", "email", "fields", "line", "payload", "phone", "record", "response", "row",
    "text", "value", "values",
}  # fmt: skip


def test_no_value_stands_in_the_text_of_an_error() -> None:
    """An f-string in an error of ours may hold names and numbers of ours, never what came in."""
    refuse(
        (
            breach(module.place, part.lineno, f"puts {ast.unparse(part.value)} into an error")
            for module in modules(*PACKAGES, "dags")
            for node in module.nodes()
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _OURS
            for given in [*node.args, *(word.value for word in node.keywords)]
            for part in ast.walk(given)
            if isinstance(part, ast.FormattedValue) and getattr(part.value, "id", getattr(part.value, "attr", "")) in _SUSPECTS
        ),
        "name the field, never the value",
    )
