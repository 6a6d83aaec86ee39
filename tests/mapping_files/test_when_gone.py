"""What a mapping file may say of records that are gone, and what it may not."""

from __future__ import annotations

import pytest

from connector.core.gone import KEEP, Gone, WhenGone
from connector.core.limits import Limits
from connector.errors import MappingFileError
from connector.mapping_files import FileMapping, load_texts
from tests.mapping_files.test_broken_files import CRM, SOURCE

HEAD = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"
FIELDS = """\
fields:
  name: {from: product_id, own: fill}
  state: {from: status, type: select, label: State, choices: {expired: Expired, otherwise: keep}}
  first: {from: id, type: text, label: First, own: once}
"""


def loaded(text: str) -> FileMapping:
    return load_texts({"m.yaml": HEAD + FIELDS + text}, SOURCE, CRM)["membership"]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", KEEP),
        ("when_gone: keep\n", KEEP),
        ("when_gone: delete\n", WhenGone(Gone.DELETE)),
        ("when_gone: {do: delete}\n", WhenGone(Gone.DELETE)),
        ("when_gone: {do: mark, field: state, value: Expired}\n", WhenGone(Gone.MARK, "state", "EXPIRED")),
        ("when_gone: {do: mark, field: name, value: Gone}\n", WhenGone(Gone.MARK, "name", "Gone")),
        ("when_gone: {do: clear, field: name}\n", WhenGone(Gone.CLEAR, "name")),
    ],
)
def test_the_word_becomes_what_is_done(text: str, means: WhenGone) -> None:
    assert loaded(text).when_gone == means


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("mark", 'found "mark" alone'),
        ("{do: mark, field: state}", "without value:"),
        ("{do: mark, value: Expired}", "without field:"),
        ("{do: clear, field: state, value: x}", "value: beside do: clear"),
        ("{do: mark, field: stat, value: Expired}", 'did you mean "state"'),
        ("{do: mark, field: first, value: x}", "a field that this file keeps"),
        ("{do: mark, field: state, value: Gone}", "Gone"),
        ("{do: mark, field: state, value: null}", "or do: clear"),
        ("[mark]", "when_gone: a table of keys"),
    ],
)
def test_a_mistake_is_told_by_its_line(said: str, problem: str) -> None:
    with pytest.raises(MappingFileError) as raised:
        loaded(f"when_gone: {said}\n")

    assert len(raised.value.problems) == 1
    assert problem in raised.value.problems[0]
    assert raised.value.problems[0].startswith("m.yaml:8:")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", Limits(10, None)),
        ("limits: {most_removed: 5%, most_changed: 60%}\n", Limits(5, 60)),
        ("limits: {most_changed: 0 %}\n", Limits(10, 0)),
    ],
)
def test_limits_are_shares(text: str, means: Limits) -> None:
    assert loaded(text).limits == means


@pytest.mark.parametrize("text", ["10", "110%", "ten", "[1%]", "-1%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(MappingFileError) as told:
        loaded(f"limits: {{most_removed: {text}}}\n")
    assert "a share of the records" in str(told.value)
