"""All mapping files → one set, or one error that names every mistake in any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from connector.core.catalogue import CrmCatalogue, SourceCatalogue
from connector.core.mapping import FieldRule, FieldSpec, LinkRule
from connector.core.transforms import Transform
from connector.errors import MappingFileError
from connector.mapping_files import functions
from connector.mapping_files.body import body
from connector.mapping_files.model import FileMapping, MappingSet
from connector.mapping_files.nodes import MOST_BYTES, compose
from connector.mapping_files.outline import Outline, declare_objects, outline
from connector.mapping_files.problems import Problems
from connector.mapping_files.world import World

Rule = TypeVar("Rule", FieldRule, LinkRule)


def load_all(
    directory: Path,
    source: SourceCatalogue,
    crm: CrmCatalogue,
    beside: MappingType[str, str] = MappingProxyType({}),
) -> MappingSet:
    """Every ``*.yaml`` of a directory, and those ``beside`` them or in their place, by name.

    Raises MappingFileError with all problems of all files.
    """
    problems = Problems()
    paths = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not paths:
        raise MappingFileError([f"{directory}: found no mapping files, expected at least one *.yaml"])
    texts = _read(paths, problems)
    return _load({**texts, **beside}, source, crm, problems, functions.installed())


def load_file(path: Path, source: SourceCatalogue, crm: CrmCatalogue) -> FileMapping:
    """The mapping of one file, checked together with the files beside it."""
    for mapping in load_all(path.parent, source, crm):
        if mapping.file == path.name:
            return mapping
    raise MappingFileError([f"{path.name}: found no such file in {path.parent}, expected one"])


def load_texts(
    texts: MappingType[str, str],
    source: SourceCatalogue,
    crm: CrmCatalogue,
    known: MappingType[str, Transform] | None = None,
) -> MappingSet:
    """File name → its text; what an editor checks before anything is saved. ``known``: other functions."""
    return _load(texts, source, crm, Problems(), functions.installed() if known is None else known)


def texts_of_files(paths: Sequence[Path]) -> dict[str, str]:
    """File name → its text. Raises MappingFileError for what is too long or no text."""
    problems = Problems()
    texts = _read(paths, problems)
    if problems:
        raise MappingFileError(problems.lines())
    return texts


def _read(paths: Sequence[Path], problems: Problems) -> dict[str, str]:
    return {path.name: text for path in paths if (text := text_of_file(path, problems)) is not None}


def text_of_file(path: Path, problems: Problems) -> str | None:
    """The text of a file; None, reported, where it is too long or no text."""
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        size = path.stat().st_size // 1024
        problems.at(path.name, 1, 1, f"found {size} KB, expected at most {MOST_BYTES // 1024} KB")
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problems.at(path.name, line, 1, "found a character that is no text, expected UTF-8 text")
        return None


def _load(
    texts: MappingType[str, str],
    source: SourceCatalogue,
    crm: CrmCatalogue,
    problems: Problems,
    known: MappingType[str, Transform],
) -> MappingSet:
    world = World(source, crm, problems, known)
    outlines = [one for name, text in texts.items() if (one := _outline(name, text, world)) is not None]
    for one in outlines:
        declare_objects(one, world)
    _set_targets(outlines, world)
    whole = not problems or (len(outlines) == len(texts) and all(one.kind for one in outlines))
    world = replace(world, whole=whole)
    mappings = [made for one in outlines if (made := body(one, texts[one.file], world)) is not None]
    ordered = _in_order(mappings, outlines, world)
    merged = _merged(ordered, outlines, problems)
    if problems:
        raise MappingFileError(problems.lines())
    return MappingSet(tuple(merged), _version(texts), texts, tuple(problems.advice()))


def _outline(name: str, text: str, world: World) -> Outline | None:
    node = compose(name, text, world.problems)
    return outline(node, world) if node is not None else None


def _set_targets(outlines: Sequence[Outline], world: World) -> None:
    first: dict[str, str] = {}
    for one in outlines:
        if one.kind is None or one.object is None or one.source is None:
            continue
        if one.kind in first:
            node = one.source.node("kind") or one.root.table
            world.problems.unfit(
                node, f'"{one.kind}", which {first[one.kind]} maps already', "one file per kind"
            )
        first.setdefault(one.kind, one.file)
        world.targets.setdefault(one.kind, one.object)


def _version(texts: MappingType[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{len(text)}\0{text}\0".encode())
    return digest.hexdigest()[:16]


def _in_order(
    mappings: Sequence[FileMapping], outlines: Sequence[Outline], world: World
) -> list[FileMapping]:
    """The source's order of kinds, with parents moved before their children; a circle is reported."""
    kinds = list(world.source.kinds)
    order = {kind: position for position, kind in enumerate([*world.source.order, *kinds])}
    order.update({kind: position for position, kind in enumerate(world.source.order)})
    waiting = sorted(mappings, key=lambda mapping: (order[mapping.kind], mapping.file))
    done: list[FileMapping] = []
    while waiting:
        left = {mapping.kind for mapping in waiting}
        ready = next((one for one in waiting if not left & {link.kind for link in one.links}), None)
        if ready is None:
            _report_circle(waiting, outlines, world.problems)
            return [*done, *waiting]
        waiting.remove(ready)
        done.append(ready)
    return done


def _report_circle(waiting: Sequence[FileMapping], outlines: Sequence[Outline], problems: Problems) -> None:
    links = {mapping.kind: list(mapping.links) for mapping in reversed(waiting)}
    way = [waiting[0].kind]
    while True:  # every kind that waits has a link to one that waits too, so this comes round
        step = next(link for link in links[way[-1]] if link.kind in links)
        if step.kind in way:
            circle = [*way[way.index(step.kind) :], step.kind]
            break
        way.append(step.kind)
    mapping = next(one for one in waiting if one.kind == way[-1])
    table = next(one for one in outlines if one.file == mapping.file).root
    links_part = table.part("links", "links")
    spot = links_part.spot(step.spec.name) if links_part else table.table
    problems.unfit(spot, f"links in a circle ({' → '.join(circle)})", "one of them left out")


def _merged(
    mappings: Sequence[FileMapping], outlines: Sequence[Outline], problems: Problems
) -> list[FileMapping]:
    """Give every mapping of an object the same field specs, options joined; contradictions are reported."""
    specs: dict[tuple[str, str], FieldSpec] = {}
    for mapping in mappings:
        for spec in mapping.specs:
            key = (mapping.object.name, spec.name)
            earlier = specs.setdefault(key, spec)
            if _core_of(earlier) != _core_of(spec):
                _report_conflict(mapping, spec, earlier, outlines, problems)
            options = tuple(dict.fromkeys((*earlier.options, *spec.options)))
            specs[key] = replace(
                earlier, options=options, description=earlier.description or spec.description
            )
    return [_respecified(mapping, specs) for mapping in mappings]


def _core_of(spec: FieldSpec) -> tuple[str, str, bool, str | None]:
    return spec.type, spec.label, spec.unique, spec.target


def _report_conflict(
    mapping: FileMapping, spec: FieldSpec, earlier: FieldSpec, outlines: Sequence[Outline], problems: Problems
) -> None:
    root = next(one for one in outlines if one.file == mapping.file).root
    spots = [
        part.spot(spec.name)
        for key in ("fields", "links")
        if (part := root.part(key, key)) and spec.name in part
    ]
    wanted = earlier.type + (" unique" if earlier.unique else "") + f' "{earlier.label}"'
    problems.unfit(
        spots[0] if spots else root.table,
        f"{mapping.object.name}.{spec.name} declared in another way than in another file",
        f"{wanted}, as there",
    )


def _respecified(mapping: FileMapping, specs: MappingType[tuple[str, str], FieldSpec]) -> FileMapping:
    def renewed(rule: Rule) -> Rule:
        return replace(rule, spec=specs[mapping.object.name, rule.spec.name])

    return replace(
        mapping,
        fields=tuple(renewed(rule) for rule in mapping.fields),
        links=tuple(renewed(rule) for rule in mapping.links),
        stamps=tuple(specs[mapping.object.name, spec.name] for spec in mapping.stamps),
    )
