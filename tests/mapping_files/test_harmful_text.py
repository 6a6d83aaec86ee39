"""Text that somebody made to do harm, or that grew too large: refused at once, in few words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingFileError
from connector.mapping_files import load_all, load_texts
from connector.mapping_files.nodes import MOST_BYTES
from connector.sources.whop.catalogue import CATALOGUE as SOURCE
from tests.mapping_files.test_broken_files import GOOD, HEAD, told

BOMB = 'a: &a ["lol","lol","lol","lol"]\n' + "".join(
    f"{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def many(line: str, most: int = MOST_BYTES - 10_000) -> str:
    """As many numbered lines as fit into a file."""
    return "".join(
        line.replace("#", f"{number:05}") for number in range(most // (len(line) + 4 * line.count("#")) - 1)
    )


def test_a_bomb_of_aliases_is_refused_by_its_first_alias():
    assert told(m=BOMB)[-1] == 'm.yaml:2:8: found the alias "*a", expected it written out in full'


def test_five_megabytes_are_refused_unread(tmp_path):
    (tmp_path / "m.yaml").write_text("# words\n" * 655_360)

    with pytest.raises(MappingFileError) as caught:
        load_all(tmp_path, SOURCE, CRM)
    with pytest.raises(MappingFileError) as uploaded:
        load_texts({"m.yaml": "# words\n" * 655_360}, SOURCE, CRM)

    expected = ("m.yaml:1:1: found 5120 KB, expected at most 256 KB",)
    assert caught.value.problems == uploaded.value.problems == expected


SLOW = {
    "keys that do not exist": many("feilds#: 1\n"),
    "paths that do not exist": HEAD + "fields:\n" + many("  f#: {from: prodct_#, type: text, label: F}\n"),
    "functions that do not exist": HEAD + f"fields: {{name: {{from: id, using: [{many('trmi#, ')}trim]}}}}\n",
    "words that do not exist": HEAD
    + f"fields: {{stage: {{from: status, choices: {{{many('trialing#: A, ')}otherwise: keep}}}}}}\n",
    "a long path": HEAD + f"fields: {{name: {{from: a{'.a' * 100_000}}}}}\n",
    "a long filter": HEAD.replace("membership}", f"membership, only: {{? a{'.a' * 100_000} : x}}}}") + GOOD,
    "a long name": HEAD + GOOD + f"? {'feilds' * 30_000}\n: 1\n",
    "fields twice": HEAD + "fields:\n" + "  name: {from: id}\n" * 12_000,
    "choices twice": HEAD + GOOD + f"choices: {{a: {{{'a: b, ' * 40_000}}}}}\n",
}


@dataclass
class Calls:
    """How much was called, in Python and below."""

    count: int = 0


@contextmanager
def counted() -> Iterator[Calls]:
    calls = Calls()

    def count(_frame: object, event: str, _argument: object) -> None:
        calls.count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_a_file_full_of_mistakes_is_told_in_little_time_and_few_words(text):
    """An editor page checks while somebody types, so what it takes is counted in calls, not in seconds."""
    assert 100_000 < len(text) < MOST_BYTES

    with counted() as calls:
        problems = told(m=text)

    assert calls.count < 10_000_000
    assert len(problems) <= 201
    assert sum(map(len, problems)) < 100_000


def test_beyond_two_hundred_mistakes_the_rest_is_not_told():
    problems = told(m=many("feilds#: 1\n"))

    assert sum("found more than 200 mistakes" in line for line in problems) == 1


def test_a_long_list_of_choices_is_not_told_to_the_log_whole():
    choices = f"{{{many('a#: A, ', 60_000)}otherwise: fail}}"
    made = load_texts(
        {"m.yaml": HEAD + f"fields: {{stage: {{from: license_key, choices: {choices}}}}}\n"}, SOURCE, CRM
    )
    (rule,) = made["membership"].fields

    with pytest.raises(Exception, match=r"a00019 and [0-9]+ more"):
        rule.read({"license_key": "b"})
