"""A value of another type than Whop is known to send: told with its field, or taken for what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.core.mapping import FieldRule, LinkRule, map_record
from connector.core.records import UNKNOWN, Ref, SourceRecord
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingError
from connector.mapping_files import FileMapping, load_texts
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

FOLDER = Path(__file__).parents[2] / "mappings"
SETS = {
    "all records": [*FOLDER.glob("*.yaml"), *FOLDER.glob("recipes/p*/*.yaml")],
    "business buyers": [FOLDER / "product.yaml", *FOLDER.glob("recipes/business-buyers/*.yaml")],
}
OTHERS: tuple[Any, ...] = (  # what JSON can hold, at its edges
    *(7, -1, 2.5, 10**400, float("nan"), float("inf"), True, False),
    *("seven", "2026-02-30", "\x00", "\ud800", "x" * 100_000),
    *([], [7], ["a"], [None], [[]], {}, {"a": 1}, {"amount": None}, {"amount": {}, "currency": []}),
    *({"amount": "1", "currency": "zzzz"}, {"id": 7}),
)
EMPTY = ("", " ", "\x00", "\ud800", {"amount": None})
"""What may be taken for nothing: it says nothing."""


def mappings() -> Iterator[FileMapping]:
    for paths in SETS.values():
        yield from load_texts({path.name: path.read_text(encoding="utf-8") for path in paths}, SOURCE, CRM)


RULES = [
    pytest.param(rule, mapping, id=f"{mapping.kind}-{mapping.object.name}-{rule.spec.name}")
    for mapping in mappings()
    for rule in (*mapping.fields, *mapping.links)
]


def paths_of(rule: FieldRule | LinkRule, kind: str) -> list[str]:
    """The fields of Whop that a rule reads."""
    return [path for path in rule.source.split(", ") if path in SOURCE.kinds[kind]]


def assert_told(error: MappingError, path: str, mapping: FileMapping) -> None:
    """By a field that reads this, in few words."""
    of = {rule.spec.name: rule for rule in (*mapping.fields, *mapping.links)}
    assert error.field is not None
    assert path in paths_of(of[error.field], mapping.kind)
    assert error.expected
    assert len(str(error)) < 1_000


def with_value(path: str, value: Any) -> Mapping[str, Any]:
    """A record that says nothing but this; the rest of the way there is as it should be."""
    outer, dot, inner = path.partition(".")
    return {outer: with_value(inner, value) if dot else value}


@pytest.mark.parametrize(("rule", "mapping"), RULES)
def test_a_value_of_another_type_fails_its_record_by_name_or_says_something(rule, mapping):
    """Never another error, which would be a bug's; never taken for nothing, which would empty the field."""
    for path in paths_of(rule, mapping.kind):
        for value in OTHERS:
            record = SourceRecord(Ref("whop", mapping.kind, "x"), with_value(path, value))
            try:
                made = map_record(record, mapping)
            except MappingError as error:
                assert_told(error, path, mapping)
                continue
            if made is None:
                continue  # filtered out
            found = {**made.values, **dict(made.parents)}.get(rule.spec.name, UNKNOWN)
            told = any(name == rule.spec.name for name, _ in made.unknown_choices)
            assert found is not None or value in EMPTY, (path, value)
            assert found is not UNKNOWN or told or value in EMPTY or rule.spec.name not in made.values


@pytest.mark.parametrize(("rule", "mapping"), RULES)
def test_a_plain_value_where_parts_should_be_fails_its_record(rule, mapping):
    for path in paths_of(rule, mapping.kind):
        outer, dot, _ = path.partition(".")
        for value in ("x", 7, True, [], [{}]) if dot else ():
            with pytest.raises(MappingError) as raised:
                map_record(SourceRecord(Ref("whop", mapping.kind, "x"), {outer: value}), mapping)
            assert f"parts inside {outer}" in str(raised.value) or "parts inside" in str(raised.value)


def test_rules_are_tried():
    assert len(RULES) > 60
    assert all(paths_of(one.values[0], one.values[1].kind) for one in RULES)
