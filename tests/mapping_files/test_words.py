"""Words of the source that a file answers, leaves out or misspells."""

# ruff: noqa: E501 - a message stands here as the operator reads it, on one line

from __future__ import annotations

import dataclasses

import pytest

from connector.core.mapping import map_record
from connector.core.records import Ref, SourceRecord
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingError, MappingFileError
from connector.mapping_files import MappingSet, load_texts
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

HEAD = "version: 1\nsource: {kind: product%s}\ntarget: {object: company}\nfields:\n  name: {from: title}\n"
LINE = "  state: {from: visibility, type: select, label: State, choices: %s}\n"


def loaded(choices: str, only: str = "") -> MappingSet:
    return load_texts({"m.yaml": HEAD % only + LINE % choices}, SOURCE, CRM)


def stored(choices: str, word: str) -> object:
    record = SourceRecord(Ref("whop", "product", "p"), {"title": "T", "visibility": word})
    mapped = map_record(record, loaded(choices)["product"])
    assert mapped is not None
    return mapped.values.get("state", "untouched")


def test_words_without_an_answer_of_their_own_are_told_as_advice():
    assert loaded("{visible: On, hidden: Off, otherwise: keep}").advice == (
        "m.yaml:6:66: found choices without archived, quick_link, expected an answer for every word that visibility "
        "is known to hold (keep, empty and fail are answers; so is a value under otherwise:)",
    )


@pytest.mark.parametrize(
    "choices",
    [
        "{visible: On, hidden: Off, archived: Off, quick_link: On, otherwise: keep}",
        "{visible: On, otherwise: Off}",
        "{visible: On, hidden: keep, archived: empty, quick_link: fail, otherwise: fail}",
    ],
)
def test_where_every_word_is_answered_there_is_no_advice(choices):
    assert loaded(choices).advice == ()


def test_words_that_only_leaves_out_need_no_answer():
    only = ", only: {visibility: [visible, hidden]}"

    assert loaded("{visible: On, hidden: Off, otherwise: keep}", only).advice == ()
    assert (
        "quick_link" in loaded("{visible: On, otherwise: keep}", ", only: {visibility_not: hidden}").advice[0]
    )
    assert (
        "hidden" not in loaded("{visible: On, otherwise: keep}", ", only: {visibility_not: hidden}").advice[0]
    )


@pytest.mark.parametrize(
    ("answer", "becomes"), [("On", "ON"), ("keep", "untouched"), ("empty", None), ("null", None)]
)
def test_a_word_may_keep_or_empty_the_field(answer, becomes):
    assert stored(f"{{visible: {answer}, hidden: Off, otherwise: Rest}}", "visible") == becomes


def test_a_word_may_fail_the_record():
    choices = "{visible: fail, hidden: Off, otherwise: Rest}"

    assert stored(choices, "archived") == "REST"
    with pytest.raises(MappingError, match="expected one of hidden, found 'visible'"):
        stored(choices, "visible")


def test_a_word_that_is_misspelt_is_told():
    with pytest.raises(MappingFileError) as caught:
        loaded("{visble: On, otherwise: keep}", ", only: {visibility_not: [hiden, secret]}")

    assert caught.value.problems == (
        'm.yaml:2:49: found "hiden", expected a word that visibility is known to hold, did you mean "hidden"?',
        'm.yaml:6:67: found "visble", expected a word that visibility is known to hold, did you mean "visible"?',
    )


def test_a_word_that_is_new_to_us_may_be_answered():
    """Whop invents words; whoever knows of one need not wait for us. One beside its like is no slip."""
    made = "{visible: A, hidden: A, archived: A, quick_link: A, quick_links: B, by_invitation: C, otherwise: keep}"

    assert loaded(made).advice == ()
    assert stored(made, "by_invitation") == "C"


def test_words_of_what_was_made_of_a_value_are_not_known():
    line = LINE.replace("from: visibility", "from: visibility, using: upper")
    made = load_texts({"m.yaml": HEAD % "" + line % "{VISIBLE: On, otherwise: keep}"}, SOURCE, CRM)

    assert made.advice == ()


def test_a_newer_version_that_knows_of_more_words_refuses_no_file():
    words = {**SOURCE.words, "product": {"visibility": ("visible", "hidden", "by_invitation")}}
    newer = dataclasses.replace(SOURCE, words=words)
    text = HEAD % "" + LINE % "{visible: On, hidden: Off, otherwise: keep}"

    assert "by_invitation" in load_texts({"m.yaml": text}, newer, CRM).advice[0]
