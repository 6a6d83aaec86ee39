"""The house rules that a machine can read: sizes, no clocks inside, imports that point inward."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOUSE = ROOT / "connector"
MODULES = sorted(HOUSE.rglob("*.py"))

LONGEST_MODULE, LONGEST_FUNCTION = 300, 60

#: Modules that may be longer, up to so many lines, and why.
LONG_MODULES = {
    "cli/processes.py": (450, "one supervisor, whose life of a child is read from top to bottom"),
    "mapping_files/lines.py": (320, "one reader for one kind of line"),
    "store/runs.py": (370, "one table, its lease and its log: no half of it is understood alone"),
}


def place(module: Path) -> str:
    return module.relative_to(HOUSE).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without the docstring."""
    first = function.body[0]
    lines = (function.end_lineno or 0) - function.lineno + 1
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_a_module_is_read_in_one_sitting(module: Path) -> None:
    most, _why = LONG_MODULES.get(place(module), (LONGEST_MODULE, ""))

    assert len(module.read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("name", LONG_MODULES)
def test_a_long_module_is_still_there_and_long(name: str) -> None:
    assert len((HOUSE / name).read_text(encoding="utf-8").splitlines()) > LONGEST_MODULE


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_a_function_fits_on_a_screen(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))

    assert [one.name for one in functions(tree) if length(one) > LONGEST_FUNCTION] == []


CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"), ("time", "sleep")}
INSIDE = [one for one in MODULES if one.is_relative_to(HOUSE / "core") or one.is_relative_to(HOUSE / "sync")]


@pytest.mark.parametrize("module", INSIDE, ids=place)
def test_core_and_conductor_are_given_the_time(module: Path) -> None:
    asked = [
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]

    assert CLOCKS.isdisjoint(asked)


def test_imports_point_inward() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    told = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stdout + told.stderr


def test_test_modules_have_names_of_their_own() -> None:
    """Of two modules with one name pytest collects neither; the tests of the store are a package."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.name for path in tests if path.name != "conftest.py"]

    assert sorted(name for name in set(names) if names.count(name) > 1) == []
