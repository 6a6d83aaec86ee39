"""docs/mapping.md says what the code does: its samples load, its functions are the functions."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingFileError
from connector.mapping_files import load_texts, run_tests
from connector.mapping_files.page import render_functions, with_functions, write_page
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"
TEXT = PAGE.read_text(encoding="utf-8")
SAMPLES = re.findall(r"```yaml\n(?! *# into )(.*?)```", TEXT, re.DOTALL)
PRODUCT = next(sample for sample in SAMPLES if "kind: product" in sample)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_the_page_loads_and_passes(sample):
    texts = {"sample.yaml": sample} | ({} if sample == PRODUCT else {"product.yaml": PRODUCT})

    for mapping in load_texts(texts, SOURCE, CRM):
        assert [str(result) for result in run_tests(mapping) if not result.passed] == []


def test_there_are_samples_to_load():
    assert len(SAMPLES) >= 5


def test_no_sample_of_the_page_goes_untried():
    """Whole files are loaded here, lines for a file in test_recipes, what commands show in
    test_mapping_commands, code and its package in test_functions: another kind needs a test of its own."""
    kinds = Counter(re.findall(r"^ *```(\w+)$", TEXT, re.MULTILINE))

    assert kinds == {"yaml": len(SAMPLES) + TEXT.count("# into "), "text": 2, "python": 1, "toml": 1}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_that_is_broken_would_be_found(sample):
    broken = re.sub(r"from: \[?(\w)", r"from: \1x", sample, count=1)
    texts = {"sample.yaml": broken} | ({} if sample == PRODUCT else {"product.yaml": PRODUCT})

    assert broken != sample
    with pytest.raises(MappingFileError):
        load_texts(texts, SOURCE, CRM)


def test_the_functions_of_the_page_are_the_functions(tmp_path):
    copy = tmp_path / "mapping.md"
    copy.write_text("before\n" + TEXT.replace("| `trim` |", "| `trmi` |"), encoding="utf-8")

    write_page(copy)

    assert with_functions(TEXT) == TEXT, "run python -m connector.mapping_files"
    assert copy.read_text(encoding="utf-8") == "before\n" + TEXT
    assert "| `trim` |" in render_functions()


@pytest.mark.parametrize("type_", sorted(set(CRM.types) - {"relation"}))
def test_the_page_names_every_type(type_):
    assert f"`{type_}`" in TEXT


def test_the_page_names_every_key():
    from connector.mapping_files import lines, notes, outline  # noqa: PLC0415 - their keys are no public words

    keys = {*notes.NOTE_KEYS, *notes.TASK_KEYS, *lines.FIELD_KEYS, *lines.LINK_KEYS, *outline.OBJECT_KEYS}
    keys |= {key for key, why in outline.KEYS.items() if not why} - {"source", "target"}

    assert [key for key in sorted(keys) if f"`{key}`" not in TEXT] == []
