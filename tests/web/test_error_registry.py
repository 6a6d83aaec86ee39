"""No failure is shown that the error guide does not explain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import errors
from connector.errors import ConnectorError
from connector.web import error_registry

ROOT = Path(__file__).resolve().parent.parent.parent
#: The stand-ins speak Whop's and Twenty's codes, not ours; the demo's visitor tells only its own developer.
ELSEWHERE = ("sandbox/", "cli/visitor.py", "cli/bench/")
#: Where a code is not given by its name: the variable, table or constant that has it.
NAMED = {
    "outbound/wire.py": "_WORDS",
    "crms/twenty/client.py": "_IN_TRANSPORT",
    "crms/twenty/culprits.py": "code|_CODES",
    "sources/whop/refusals.py": "NOT_FOUND",
    "sources/whop/oauth_refusals.py": "UNANSWERED",
}
_CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes_of_classes(class_: type[ConnectorError] = ConnectorError) -> Iterator[str]:
    yield class_.code
    for below in class_.__subclasses__():
        yield from codes_of_classes(below)


def codes_given() -> Iterator[tuple[str, str]]:
    """Every code that is given where an error is raised, with the place."""
    for path in sorted((ROOT / "connector").rglob("*.py")):
        place = path.relative_to(ROOT / "connector").as_posix()
        if not place.startswith(ELSEWHERE):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for line, code in codes_in(tree, NAMED.get(place, "").split("|")):
                yield code, f"{place}:{line}"


def codes_in(tree: ast.AST, named: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_error(node):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from texts(keyword.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "_understood":
            yield from texts(node.args[0])
        elif isinstance(node, ast.Assign | ast.AnnAssign) and names(node) & set(named) and node.value:
            yield from texts(node.value)


def is_error(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    return name.endswith("Error") or name == "refused"


def names(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def texts(value: ast.expr) -> Iterator[tuple[int, str]]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
            yield node.lineno, node.value


def test_every_class_of_error_is_explained() -> None:
    assert errors.__doc__
    assert set(codes_of_classes()) <= set(error_registry.entries())


def test_every_code_that_is_given_is_explained() -> None:
    unexplained = {code: place for code, place in codes_given() if code not in error_registry.entries()}

    assert unexplained == {}


def test_the_scan_finds_the_codes_it_should() -> None:
    found = {code for code, _ in codes_given()}

    assert {
        "crm_certificate",
        "crm_duplicate",
        "crm_bad_value",
        "tls",
        "whop_not_found",
        "whop_refused",
        "run_active",
    } <= found


@pytest.mark.parametrize("code", error_registry.entries())
def test_an_entry_says_what_it_means_what_to_do_and_who_can(code: str) -> None:
    one = error_registry.entries()[code]

    assert one.who in error_registry.WHO
    assert all(text and text == text.strip() for text in one)
    assert not one.title.endswith(".")
    assert one.meaning.endswith(".")
    assert one.todo.endswith(".")


def test_an_unknown_code_is_still_told() -> None:
    one = error_registry.entry("from_a_newer_version")

    assert (one.code, one.title) == ("from_a_newer_version", error_registry.entry("error").title)


def test_entries_about_one_subject_stand_together() -> None:
    subjects = [about for about, _ in error_registry.by_subject()]

    assert len(subjects) == len(set(subjects))


def test_the_documentation_is_made_from_the_table() -> None:
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

    assert written == error_registry.document()
