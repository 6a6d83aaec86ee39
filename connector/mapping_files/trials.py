"""The tests that a mapping file carries: read with the file, run on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.core.mapping import FieldRule, LinkRule, map_record
from connector.core.mapping import shown as shown_value
from connector.core.records import UNKNOWN, MappedRecord, Ref, SourceRecord
from connector.errors import MappingError
from connector.mapping_files.lines import Lines
from connector.mapping_files.model import FileMapping, MappingTest
from connector.mapping_files.nodes import Node, Scalar, Sequence, Table, plain, shown
from connector.mapping_files.reading import Part, missing, part_of, texts_of
from connector.mapping_files.world import type_at

KEYS: Final = dict.fromkeys(("name", "given", "expect", "unwritten", "fails"), "")
FILTERED: Final = "filtered"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a test found otherwise. ``line``: of the rule in the file; 0 where it is about the whole record.

    ``rule`` says in the file's words where the field comes from.
    """

    field: str
    expected: str
    found: str
    line: int = 0
    rule: str = ""

    def __str__(self) -> str:
        about = f"{self.field}: " if self.field else ""
        return f"{about}expected {self.expected}, found {self.found}"

    def lines(self) -> tuple[str, ...]:
        """The same below each other, so that what differs is seen."""
        where = f"  (line {self.line}, from {self.rule})" if self.line else ""
        return (
            f"{self.field or 'the record'}{where}",
            f"  - expected {self.expected}",
            f"  + found    {self.found}",
        )


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test went: ``differences`` are empty where it passed."""

    __test__ = False  # not a test itself, whatever a test runner makes of the name

    file: str
    line: int
    name: str
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: {self.name}"
        return place if self.passed else "\n".join([place, *(f"    {line}" for line in self.differences)])


def run_tests(mapping: FileMapping) -> list[TestResult]:
    """Map the ``given`` of each test and compare."""
    return [
        TestResult(mapping.file, test.line, test.name, tuple(_differences(test, mapping)))
        for test in mapping.tests
    ]


def _differences(test: MappingTest, mapping: FileMapping) -> Iterator[Difference]:
    ref = Ref(mapping.source, mapping.kind, str(test.given.get("id") or "test"))
    updated_at = test.given.get("updated_at")
    try:
        mapped = map_record(SourceRecord(ref, test.given, updated_at), mapping)
    except MappingError as error:
        if test.fails != error.field:
            wanted = "no failure" if test.fails is None else f"{test.fails} to fail"
            yield Difference("", wanted, f"a failure: {error}")
        return
    if test.fails is not None:
        yield Difference("", f"{test.fails} to fail", "no failure")
    elif mapped is None or test.filtered:
        if test.filtered and mapped is not None:
            yield Difference("", "that it is filtered out", "that it passes")
        elif not test.filtered:
            yield Difference("", "that it passes", "it filtered out")
    else:
        yield from _value_differences(test, mapped, mapping)


def _value_differences(test: MappingTest, mapped: MappedRecord, mapping: FileMapping) -> Iterator[Difference]:
    found = {**mapped.values, **{name: ref.id if ref else None for name, ref in mapped.parents}}
    rules: dict[str, FieldRule | LinkRule] = {rule.spec.name: rule for rule in mapping.fields}
    rules |= {rule.spec.name: rule for rule in mapping.links}

    def difference(name: str, expected: str) -> Difference:
        rule = rules.get(name)
        words = _said(found.get(name, UNKNOWN), mapping.labels.get(name, {}))
        return Difference(name, expected, words, rule.line if rule else 0, rule.source if rule else "")

    for name, expected in test.expect.items():
        actual = found.get(name, UNKNOWN)
        if actual is UNKNOWN or actual != expected:
            yield difference(name, _said(expected, mapping.labels.get(name, {})))
    for name in test.unwritten:
        if name in found:
            yield difference(name, "nothing written")


def _said(value: Any, labels: Mapping[str, str]) -> str:
    if value is UNKNOWN:
        return "nothing written"
    if value is None:
        return "it empty"
    return shown_value(labels.get(value, value) if isinstance(value, str) else value)


# --- reading


def read_tests(root: Part, lines: Lines) -> tuple[MappingTest, ...]:
    """The file's ``tests``, their expectations made canonical."""
    node = root.node("tests")
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        lines.world.problems.unfit(node, shown(node), "a list of tests, each with name, given and expect")
        return ()
    return tuple(test for item in node.items if (test := _read_test(item, lines)) is not None)


def _read_test(node: Node, lines: Lines) -> MappingTest | None:
    problems = lines.world.problems
    part = part_of(node, problems, "a test", KEYS)
    if part is None:
        return None
    for key in ("name", "given"):
        if key not in part:
            missing(problems, part, "a test", key)
    if not {"expect", "unwritten", "fails"} & part.table.entries.keys():
        problems.unfit(part.table, "a test that expects nothing", "expect:, unwritten: or fails:")
    name, given = part.text("name"), part.part("given", "given")
    if given is not None:
        _check_given(given.table, "", lines)
    expected = part.node("expect")
    filtered = isinstance(expected, Scalar) and expected.text == FILTERED
    expect = part.part("expect", "expect") if expected is not None and not filtered else None
    return MappingTest(
        name=name or "",
        line=part.table.line,
        given=plain(given.table) if given else {},
        expect=_expectations(expect, lines) if expect else {},
        unwritten=tuple(_named(part, "unwritten", lines)),
        filtered=filtered,
        fails=next(iter(_named(part, "fails", lines)), None),
    )


def _check_given(table: Table, before: str, lines: Lines) -> None:
    """A name that the kind does not have would make a test that proves nothing."""
    paths = lines.world.source.kinds[lines.kind]
    for name, (spot, node) in table.entries.items():
        path = f"{before}{name}"
        if type_at(path, paths) is None or ("." in name and not _is_money_part(before, paths)):
            if not _is_money_part(before, paths):
                lines.world.problems.unknown(
                    spot, path, f"a field of the {lines.world.source.source} {lines.kind}", paths
                )
        elif isinstance(node, Table):
            _check_given(node, f"{path}.", lines)


def _is_money_part(before: str, paths: Mapping[str, str]) -> bool:
    return paths.get(before.removesuffix(".")) == "money"


def _expectations(part: Part, lines: Lines) -> dict[str, Any]:
    """Field → canonical value; a label stands for its option, a link's value is the parent's id."""
    found: dict[str, Any] = {}
    stamps = {spec.name for spec in lines.stamps}
    links = {rule.spec.name for rule in lines.links}
    for name, spot, node in part.entries():
        if name in lines.endings:
            ending = lines.endings[name]
            was, ending.fixed = ending.fixed, bool(ending.options)
            found[name] = ending.stored(node, lines.world.problems)
            ending.fixed = was
        elif name in links:
            found[name] = node.value if isinstance(node, Scalar) else plain(node)
        elif name in stamps:
            lines.world.problems.unfit(spot, f"the stamp {name}", "a field whose value the record decides")
        elif name not in lines.spots:
            lines.world.problems.unknown(spot, name, "a field of this file", lines.spots)
    return found


def _named(part: Part, key: str, lines: Lines) -> Iterator[str]:
    node = part.node(key)
    for spot, name in (
        texts_of(node, lines.world.problems, "a field of this file") if node is not None else ()
    ):
        if name not in lines.spots:
            lines.world.problems.unknown(spot, name, "a field of this file", lines.spots)
        yield name
