"""The map of docs/architecture.md, enforced: who may import whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "otel_kit"
EVERYONE = {"errors", "semconv", "_environment", "_facts", "_guard", "_imports"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "semconv": set(),
    "_environment": set(),
    "_facts": set(),
    "_guard": set(),
    "_imports": {"_guard"},
    "context": EVERYONE,
    "signals": EVERYONE | {"context"},
    "instrument": EVERYONE | {"context", "signals"},
    "toolkit": EVERYONE | {"context", "signals"},
    "pipeline": EVERYONE | {"context"},
    "redact": {"pipeline"},
    "export": EVERYONE,
    "setup": EVERYONE | {"context", "signals", "instrument", "pipeline", "export"},
    "backend": EVERYONE,
    "testing": EVERYONE | {"context", "setup", "toolkit"},
    "cli": EVERYONE | {"toolkit", "setup", "backend", "export", "testing", "redact"},
}
SDK_AREAS = {"pipeline", "export", "setup", "testing"}
SIBLINGS_APART = {"instrument", "toolkit"}
FRONT_DOOR = {"__init__", "__main__"}
# Optional libraries and the one file that may import each of them.
SERVED_BY = {
    "sqlalchemy": ("instrument/sqlalchemy", "toolkit/data/sessions.py"),
    "requests": "instrument/requests.py",
    "flask": "instrument/flask.py",
    "fastapi": "instrument/fastapi.py",
    "rich": ("export/console", "toolkit/jobs/bar_rich.py"),
}

Import = tuple[Path, int, str, bool]


def area_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def type_checking_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            lines |= {n.lineno for child in node.body for n in ast.walk(child) if hasattr(n, "lineno")}
    return lines


def function_lines(tree: ast.AST) -> set[int]:
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {n.lineno for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)}


def imports() -> Iterator[Import]:
    """Each import in the package as (file, line, dotted name, whether it is inside a function)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skip, inside = type_checking_lines(tree), function_lines(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Import | ast.ImportFrom) or node.lineno in skip:
                continue
            for name in imported_names(path, node):
                yield path, node.lineno, name, node.lineno in inside


def imported_names(path: Path, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
    return [f"{node.module}.{alias.name}" for alias in node.names]


def test_imports_point_one_way() -> None:
    """Some area imports an area that the map does not allow it to import."""
    wrong = []
    for path, line, name, _ in imports():
        area = area_of(path)
        if area in FRONT_DOOR or not name.startswith("otel_kit."):
            continue
        target = name.split(".")[1]
        if target not in MAY_IMPORT[area] | {area, "__version__"}:
            wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


@pytest.mark.parametrize("folder", sorted(SIBLINGS_APART))
def test_siblings_do_not_import_each_other(folder: str) -> None:
    """A file of instrument or toolkit imports its sibling."""
    wrong = []
    for path, line, name, _ in imports():
        if area_of(path) != folder or path.name == "__init__.py":
            continue
        own = path.relative_to(PACKAGE / folder).parts[0]
        if name.startswith((f"otel_kit.{folder}._", f"otel_kit.{folder}.{own}.")):
            continue
        if name.startswith(f"otel_kit.{folder}."):
            wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


def test_the_sdk_stays_behind_the_pipeline() -> None:
    """An area that users touch imports opentelemetry.sdk."""
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path, line, name, _ in imports()
        if name.startswith("opentelemetry.sdk") and area_of(path) not in SDK_AREAS
    ]
    assert not wrong


def test_an_optional_library_is_imported_by_its_own_file_only() -> None:
    """An optional library is imported by a file that does not serve it."""
    wrong = []
    for path, line, name, _ in imports():
        home = SERVED_BY.get(name.split(".")[0])
        if home and not path.relative_to(PACKAGE).as_posix().startswith(home):
            wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


def test_no_import_hides_in_a_function_to_dodge_a_cycle() -> None:
    """A function imports a module of ours that is not a later area: only laziness towards foreign code is allowed."""
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path, line, name, inside in imports()
        if inside and name.startswith("otel_kit") and area_of(path) not in {"cli"}
    ]
    assert not wrong


def test_there_is_no_import_cycle() -> None:
    """Two modules of ours import each other, directly or in a circle."""
    modules = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for path, _, name, inside in imports():
        if inside or not name.startswith("otel_kit"):
            continue
        target = name if name in modules else name.rpartition(".")[0]
        if target in modules and target != module_of(path):
            graph[module_of(path)].add(target)
    assert not cycle_in(graph)


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        for target in sorted(graph[node]):
            if found := visit(target, [*trail, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])
