"""Functions that an operator's own packages add: used like any other, or refused by name."""

# ruff: noqa: E501 - a message stands here as the operator reads it, on one line

from __future__ import annotations

import re
import sys
import tomllib
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connector.core.mapping import ValueProblem, map_record
from connector.core.records import Ref, SourceRecord
from connector.core.transforms import TRANSFORMS, Argument, Example, Transform
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingError, MappingFileError
from connector.mapping_files import load_texts
from connector.mapping_files.functions import GROUP, installed, joined
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

TEXT = frozenset({"text", "id"})
SHOUT = Transform(TEXT, "text", lambda value, _: f"{value}!", "Shouts.", (Example("hey", "hey!"),))
FILE = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\nfields: {name: {from: id, using: %s}}\n"


@pytest.fixture
def package(monkeypatch):
    """A package of the operator's: what is put into it can be named by an entry point."""
    module = types.ModuleType("operators_own")
    monkeypatch.setitem(sys.modules, "operators_own", module)
    return module


def point(name: str, place: str) -> EntryPoint:
    return EntryPoint(name, f"operators_own:{place}", GROUP)


def refused(*points: EntryPoint) -> list[str]:
    with pytest.raises(MappingFileError) as caught:
        joined(points)
    return list(caught.value.problems)


def mapped(functions, using: str, id_: str = "mem_1"):
    mapping = load_texts({"m.yaml": FILE % using}, SOURCE, CRM, functions)["membership"]
    return map_record(SourceRecord(Ref("whop", "membership", id_), {"id": id_}), mapping)


def test_a_function_of_the_operators_own_is_used_like_any_other(package):
    package.shout = SHOUT

    functions = joined([point("shout", "shout")])

    assert mapped(functions, "[upper, shout]").values == {"name": "MEM_1!"}
    assert set(functions) == {*TRANSFORMS, "shout"}


def test_without_packages_there_are_the_functions_of_the_house():
    assert dict(installed()) == dict(TRANSFORMS)


def test_a_packages_metadata_is_enough(tmp_path, monkeypatch):
    """As pip leaves it: a module, and a folder of metadata that names it."""
    (tmp_path / "shouting.py").write_text(
        "from connector.core.transforms import Example, Transform\n"
        "shout = Transform(frozenset({'text'}), 'text', lambda value, _: value + '!', 'Shouts.',"
        " (Example('hey', 'hey!'),))\n"
    )
    info = tmp_path / "shouting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[connector.functions]\nshout = shouting:shout\nlower = shouting:x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()

    with pytest.raises(MappingFileError) as caught:
        load_texts({"m.yaml": FILE % "shout"}, SOURCE, CRM)
    assert caught.value.problems == (
        'function "lower" (shouting:x of shouting): found a name that the connector itself has, expected another name',
    )

    (info / "entry_points.txt").write_text("[connector.functions]\nshout = shouting:shout\n")
    installed.cache_clear()
    assert "shout" in installed()
    assert load_texts({"m.yaml": FILE % "shout"}, SOURCE, CRM).kinds == ("membership",)
    installed.cache_clear()


def test_two_packages_with_one_name_are_refused(package):
    package.a = package.b = SHOUT

    assert refused(point("shout", "a"), point("shout", "b")) == [
        'function "shout" (operators_own:b): found a name that operators_own:a has, expected another name'
    ]


BROKEN = [
    (12, "found int, expected a Transform"),
    (
        Transform(TEXT, "text", lambda value, _: value, "Does nothing.", (Example("a", "b"),)),
        "found 'a' for its example 'a', expected 'b'",
    ),
    (
        Transform(TEXT, "number", lambda value, _: True, "Says 1.", (Example("a", 1),)),
        "found ValueProblem('that f gives number') for its example 'a', expected 1",
    ),
    (
        Transform(TEXT, "text", lambda value, _: value, "Refuses.", (Example("a", "a"),), (Example("b", None),)),
        "found 'b' for 'b', expected that it is refused",
    ),
    (Transform(TEXT, "text", lambda value, _: value, "No example.", ()), "found no examples, expected at least one Example, which is run here"),
    (Transform(TEXT, "text", lambda value, _: value, "", (Example("a", "a"),)), "found no sentence about it, expected doc"),
    (
        Transform(frozenset({"txt"}), "text", lambda value, _: value, "Typo.", (Example("a", "a"),)),
        "found txt as what it takes or gives, expected types of boolean, currency, full_name, id, list, money, number, object, text, time",
    ),
    (
        Transform(frozenset(), "text", lambda value, _: value, "Takes nothing.", (Example("a", "a"),)),
        "found nothing as what it takes or gives, expected types of boolean, currency, full_name, id, list, money, number, object, text, time",
    ),
    (Transform(TEXT, "text", "value", "No function.", (Example("a", "a"),)), "found 'value' to apply, expected a function of a value and an argument"),
    (
        Transform(TEXT, "text", lambda value, _: value, "Odd argument.", (Example("a", "a"),), (), "x"),
        "found 'x' as its argument, expected an Argument, or None",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "problem"), BROKEN, ids=range(len(BROKEN)))
def test_a_function_that_is_broken_is_refused_by_name(package, made, problem):
    package.f = made

    assert refused(point("f", "f")) == [f'function "f" (operators_own:f): {problem}']


def test_what_cannot_be_imported_is_refused_by_name(package):
    assert refused(point("f", "f"), EntryPoint("g", "no_such_module:g", GROUP)) == [
        'function "f" (operators_own:f): found AttributeError when it was loaded '
        "(module 'operators_own' has no attribute 'f'), expected a Transform",
        'function "g" (no_such_module:g): found ModuleNotFoundError when it was loaded '
        "(No module named 'no_such_module'), expected a Transform",
    ]


def test_a_name_that_no_file_could_say_is_refused(package):
    package.f = SHOUT

    assert refused(point("Shout it", "f")) == [
        'function "Shout it" (operators_own:f): found such a name, expected one of small letters, digits and _'
    ]


def test_one_that_raises_fails_the_record_in_its_name(package):
    def fragile(value: str, _: object) -> str:
        return value if value.startswith("mem_") else str(1 / 0)

    package.fragile = Transform(TEXT, "text", fragile, "Breaks.", (Example("mem_1", "mem_1"),))
    functions = joined([point("fragile", "fragile")])

    assert mapped(functions, "fragile").values == {"name": "mem_1"}
    with pytest.raises(MappingError, match=r"a value that fragile can take \(it raised ZeroDivisionError\)"):
        mapped(functions, "fragile", "x")


def test_one_that_gives_something_else_than_it_said_fails_the_record(package):
    package.odd = Transform(
        TEXT, "text", lambda value, _: value if value == "a" else 12, "Odd.", (Example("a", "a"),)
    )

    with pytest.raises(MappingError, match="that odd gives text, found 12"):
        mapped(joined([point("odd", "odd")]), "odd")


def test_an_argument_of_its_own_is_checked_when_the_file_is_read(package):
    package.pad = Transform(
        TEXT,
        "text",
        lambda value, width: value.ljust(width, "."),
        "Pads.",
        (Example("a", "a..", 3),),
        argument=Argument("a width", int),
    )
    functions = joined([point("pad", "pad")])

    assert mapped(functions, "{pad: 7}").values == {"name": "mem_1.."}
    with pytest.raises(MappingFileError, match='found "wide" for pad, expected a width'):
        mapped(functions, "{pad: wide}")


def test_a_refusal_of_its_own_is_told_as_it_is(package):
    def picky(value: str, _: object) -> None:
        if value:
            raise ValueProblem("something nicer", value)

    package.picky = Transform(
        TEXT,
        "text",
        picky,
        "Refuses all.",
        (Example("", None),),
        (Example("a", None),),
    )

    with pytest.raises(MappingError, match="expected something nicer, found 'mem_1'"):
        mapped(joined([point("picky", "picky")]), "picky")


def test_the_sample_of_the_page_works(package):
    page = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# our_functions.py.*?)```", page, re.DOTALL)
    (project,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "our_functions.py", "exec"), package.__dict__)
    points = tomllib.loads(project)["project"]["entry-points"][GROUP]

    functions = joined([point(name, place.rpartition(":")[2]) for name, place in points.items()])

    assert mapped(functions, "[words, initials]", "ada bergström lind").values == {"name": "ABL"}
