"""A DAG is thin: when, how often, over what, and one verb. It is parsed every minute, so it imports little and does nothing."""

from __future__ import annotations

import ast
import sys

from tests.architecture.tree import breach, modules, refuse

#: The verbs stand behind these; a DAG that imports the pipeline itself is about to decide something.
_OURS = ("leadgate.airflow",)
#: Each costs between 50 ms and half a second at every parse.
_HEAVY = {"asyncio", "concurrent", "multiprocessing", "http", "sqlite3", "subprocess", "unittest", "urllib", "xml"}
#: Statements that may stand at the top of a DAG file.
_QUIET = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AnnAssign)


def test_a_dag_imports_airflow_leadgate_and_little_else() -> None:
    breaches = []
    for module in modules("dags"):
        for line, name in module.imports():
            library = name.partition(".")[0]
            ours = name.startswith(_OURS)
            if not ours and library != "airflow" and library not in sys.stdlib_module_names:
                breaches.append(breach(module.place, line, f"imports {name}"))
            if library in _HEAVY:
                breaches.append(breach(module.place, line, f"imports {library}, which is slow to load"))
    refuse(breaches, "put what needs it behind a verb of leadgate.pipeline, and call that through leadgate.airflow")


def test_a_dag_does_no_work_when_it_is_parsed() -> None:
    """At the top stand imports, constants, functions, and at last the call of the decorated function."""
    breaches = []
    for module in modules("dags"):
        decorated = {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
        for node in module.tree.body:
            constant = isinstance(node, ast.Assign) and not _calls(node.value)
            documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            made = isinstance(node, ast.Expr) and _called(node.value) in decorated
            if not isinstance(node, _QUIET) and not constant and not documented and not made:
                breaches.append(breach(module.place, node.lineno, "runs while the file is parsed"))
    refuse(breaches, "move it into a task")


def test_no_dag_file_hides_a_package() -> None:
    """Airflow appends the DAG folder to sys.path; an installed package of the same name would win, silently."""
    refuse(
        (
            breach(module.place, 1, "no name of its own")
            for module in modules("dags")
            if not module.path.stem.startswith("leadgate_")
        ),
        "name the file leadgate_<verb>.py, like its dag_id",
    )


def test_dag_file_and_dag_bear_one_name() -> None:
    refuse(
        (
            breach(module.place, 1, f"no dag_id {module.path.stem!r} in it")
            for module in modules("dags")
            if f'dag_id="{module.path.stem}"' not in module.text
        ),
        "who sees a red DAG in the UI must find its file",
    )


def _calls(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) for each in ast.walk(node))


def _called(node: ast.expr) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
