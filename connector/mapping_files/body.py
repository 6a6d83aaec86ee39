"""The whole of one file, once its frame and its neighbours are known → a mapping."""

from __future__ import annotations

import hashlib
from typing import Final

from connector.core import rules
from connector.core.mapping import Filter, MatchKey, ObjectSpec, Read, WhenDeleted
from connector.mapping_files.choices import Choices, check_otherwise
from connector.mapping_files.filters import filters_of
from connector.mapping_files.gone import when_gone
from connector.mapping_files.limits import limits
from connector.mapping_files.lines import Lines
from connector.mapping_files.model import FileMapping
from connector.mapping_files.nodes import Scalar, Table
from connector.mapping_files.notes import notes_of
from connector.mapping_files.outline import Outline
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, part_of, text_of, texts_of
from connector.mapping_files.trials import read_tests
from connector.mapping_files.values import from_paths, from_template
from connector.mapping_files.world import World

_KEY_TYPES: Final = ("text", "emails", "phones", "links")
_EXCLUSIVE_TYPES: Final = (
    "emails",
    "links",
)  # the CRM's own rule for people's e-mails and companies' domains


def body(one: Outline, text: str, world: World) -> FileMapping | None:
    """Check and compile; None where the frame is too broken to look further."""
    object_ = _object(one, world)
    if one.kind is None or one.object is None or object_ is None or one.target is None:
        return None
    only = _only(one, one.kind, world)
    lines = _lines(one, one.kind, one.object, only, world)
    create, update = one.target.flag("create", default=True), one.target.flag("update", default=True)
    if not create and not update:
        world.problems.unfit(one.target.table, "create: false and update: false", "at least one of them true")
    return FileMapping(
        name=one.name,
        version=hashlib.sha256(text.encode()).hexdigest()[:16],
        source=world.source.source,
        kind=one.kind,
        object=object_,
        create=create,
        update=update,
        only=only,
        match=_match(one.root, lines, world.problems),
        fields=tuple(lines.fields),
        links=tuple(lines.links),
        stamps=tuple(lines.stamps),
        when_deleted=_when_deleted(one.root, world.problems),
        when_gone=when_gone(one.root, lines),
        limits=limits(one.root, world.problems),
        title=_title(one.root, one.kind, world),
        notes=notes_of(one.root, lines),
        file=one.file,
        tests=read_tests(one.root, lines),
        labels={name: dict(ending.options) for name, ending in lines.endings.items() if ending.options},
    )


def _object(one: Outline, world: World) -> ObjectSpec | None:
    spec = world.object_of(one.object) if one.object is not None else None
    if one.object is not None and spec is None and one.target is not None:
        names = world.object_names()
        node = one.target.node("object") or one.target.table
        world.problems.unknown(
            node, one.object, f"{listed(sorted(names))}, or one declared under objects:", names
        )
    return spec


def _when_deleted(root: Part, problems: Problems) -> WhenDeleted:
    text, node = root.text("when_deleted_in_crm"), root.node("when_deleted_in_crm")
    words = [word.value for word in WhenDeleted]
    if text in words:
        return WhenDeleted(text)
    if text is not None and node is not None:
        problems.unknown(node, text, listed(words), words)
    return WhenDeleted.RESPECT


def _lines(one: Outline, kind: str, object_: str, only: tuple[Filter, ...], world: World) -> Lines:
    choices = Choices(_tables(one.root, world.problems), kind, only, world)
    lines = Lines(kind, object_, world, choices)
    fields = one.root.part("fields", "fields")
    if fields is None or not fields.table.entries:
        world.problems.unfit(one.root.table, "a mapping without fields:", "fields:")
    for name, spot, node in fields.entries() if fields else ():
        lines.add_field(name, spot, node)
    links = one.root.part("links", "links")
    for name, spot, node in links.entries() if links else ():
        lines.add_link(name, spot, node)
    choices.advise_unused()
    return lines


def _tables(root: Part, problems: Problems) -> dict[str, Table]:
    part = root.part("choices", "choices")
    found = {}
    for name, _, node in part.entries() if part else ():
        table = part_of(node, problems, f"the choices {name}")
        if table is not None:
            found[name] = table.table
            check_otherwise(table.table, problems)
    return found


def _match(root: Part, lines: Lines, problems: Problems) -> tuple[MatchKey, ...]:
    node = root.node("match")
    keys: list[MatchKey] = []
    by_name = {rule.spec.name: rule for rule in lines.fields}
    for spot, name in texts_of(node, problems, "the name of a field") if node is not None else ():
        rule = by_name.get(name)
        if name not in lines.spots:
            problems.unknown(spot, name, "a field of this file", lines.spots)
        elif name in lines.chosen or (rule is not None and rule.spec.type not in _KEY_TYPES):
            what = "with choices" if name in lines.chosen else f"of type {rule.spec.type if rule else ''}"
            problems.unfit(
                spot, f"{name}, a field {what}", f"a field of type {', '.join(_KEY_TYPES)} to match by"
            )
        elif any(key.field == name for key in keys):
            problems.unfit(spot, f'"{name}" twice', "it once")
        elif rule is not None:
            exclusive = rule.spec.unique or rule.spec.type in _EXCLUSIVE_TYPES
            keys.append(MatchKey(name, rule.read, identity=rule.spec.unique, exclusive=exclusive))
    return tuple(keys)


def _only(one: Outline, kind: str, world: World) -> tuple[Filter, ...]:
    part = one.source.part("only", "only") if one.source else None
    return filters_of(part, kind, world) if part else ()


def _title(root: Part, kind: str, world: World) -> Read:
    """What the record is called in the log: its own id unless the file says more."""
    node = root.node("title")
    if node is None:
        return rules.path("id")
    if isinstance(node, Scalar) and "{" in node.text:
        text_of(node, world.problems)
        made = from_template(node, kind, world)
    else:
        made = from_paths(node, kind, world)
    return made.read if made else rules.path("id")
