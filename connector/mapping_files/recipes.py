"""Recipes: mapping files that come with the connector and are not in force by themselves.

A recipe is a folder of files that go together. The first of them says, in the comment at its head, what it is
for; so the text that an admin chooses by is the one that stands in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path

from connector.errors import MappingFileError
from connector.mapping_files.problems import did_you_mean, listed


@dataclass(frozen=True, slots=True)
class Recipe:
    """``texts`` by file name, in the order of the names; ``about`` is a sentence or two for an admin."""

    name: str
    texts: MappingType[str, str]
    about: str

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return self.name.replace("-", " ").capitalize()

    @property
    def file(self) -> str:
        """The first of its files."""
        return next(iter(self.texts))

    def is_in_force(self, texts: MappingType[str, str]) -> bool:
        """Whether its files count as they are, among these."""
        return all(texts.get(name) == text for name, text in self.texts.items())


def recipes_of(folder: Path) -> tuple[Recipe, ...]:
    """Every recipe of a folder, by name."""
    return tuple(_recipe(one) for one in sorted(folder.iterdir()) if one.is_dir())


def _recipe(folder: Path) -> Recipe:
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
    return Recipe(folder.name, texts, _about(next(iter(texts.values()))))


def _about(text: str) -> str:
    """The first paragraph of the comment at the head, without the line that is for editors."""
    lines = [line.removeprefix("#").strip() for line in text.partition("version:")[0].splitlines()]
    words = [line for line in lines if not line.startswith("yaml-language-server")]
    return " ".join(words[: words.index("")] if "" in words else words)


def joined(wanted: Iterable[str], known: Iterable[Recipe], own: Collection[str]) -> dict[str, str]:
    """The files of the recipes that an operator names. ``own``: files of a folder of the operator's.

    Raises MappingFileError for a name that is none, and where two would give the same file.
    """
    by_name, texts, problems = {one.name: one for one in known}, dict[str, str](), list[str]()
    of = dict.fromkeys(own, "MAPPINGS_DIR")
    for name in dict.fromkeys(wanted):
        if name not in by_name:
            near = did_you_mean(name, by_name)
            problems.append(f'MAPPING_RECIPES: found "{name}", expected {listed(by_name)}{near}')
            continue
        for file, text in by_name[name].texts.items():
            if file in of:
                problems.append(
                    f"MAPPING_RECIPES: found {file} in {name} and in {of[file]}, expected it in one of them"
                )
            of[file], texts[file] = name, text
    if problems:
        raise MappingFileError(problems)
    return texts
