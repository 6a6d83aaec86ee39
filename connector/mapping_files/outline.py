"""The frame of a file: what other files must know of it before any of them can be checked closely."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connector.core.mapping import ObjectSpec
from connector.mapping_files.nodes import Node, Scalar, Table, shown
from connector.mapping_files.problems import Problems
from connector.mapping_files.reading import Part, missing, part_of
from connector.mapping_files.world import World

OBJECT_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9]{0,62}")
KEYS: Final = {
    **dict.fromkeys(("version", "source", "target", "objects", "match", "fields", "links", "choices"), ""),
    **dict.fromkeys(("when_deleted_in_crm", "when_gone", "limits", "title", "tests", "notes", "tasks"), ""),
}
SOURCE_KEYS: Final = dict.fromkeys(("kind", "only"), "")
TARGET_KEYS: Final = dict.fromkeys(("object", "create", "update"), "")
OBJECT_KEYS: Final = dict.fromkeys(("name", "plural", "label", "label_plural", "icon", "description"), "")


@dataclass(frozen=True, slots=True)
class Outline:
    """One file, read as far as its frame. ``kind`` and ``object`` are None where they were reported."""

    name: str
    root: Part
    source: Part | None
    target: Part | None
    kind: str | None
    object: str | None

    @property
    def file(self) -> str:
        return self.root.table.file


def outline(node: Node, world: World) -> Outline | None:
    """Read the frame; None where the file is not even a table of keys."""
    root = part_of(node, world.problems, "a mapping", KEYS)
    if root is None:
        return None
    _check_version(root, world.problems)
    source = _required(root, "source", SOURCE_KEYS, world.problems)
    target = _required(root, "target", TARGET_KEYS, world.problems)
    kind = _required_text(source, "source", "kind", world.problems)
    if source is not None and kind is not None and kind not in world.source.kinds:
        among = world.source.kinds
        world.problems.unknown(source.node("kind") or node, kind, f"a kind of {world.source.source}", among)
        kind = None
    object_ = _required_text(target, "target", "object", world.problems)
    name = node.file.rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
    return Outline(name, root, source, target, kind, object_)


def _check_version(root: Part, problems: Problems) -> None:
    node = root.node("version")
    if node is None:
        missing(problems, root, "a mapping", "version")
    elif not isinstance(node, Scalar) or node.value != 1 or isinstance(node.value, bool):
        problems.unfit(node, f"version {shown(node)}", "version 1")


def _required(root: Part, key: str, known: dict[str, str], problems: Problems) -> Part | None:
    if key not in root:
        missing(problems, root, "a mapping", key)
    return root.part(key, key, known)


def _required_text(part: Part | None, what: str, key: str, problems: Problems) -> str | None:
    if part is not None and key not in part:
        missing(problems, part, what, key)
    return part.text(key) if part is not None else None


def declare_objects(one: Outline, world: World) -> None:
    """Add the objects that a file declares; the same object may be declared alike in several files."""
    node = one.root.node("objects")
    if node is None:
        return
    items = node.items if not isinstance(node, Scalar | Table) else ()
    if not items:
        world.problems.unfit(node, shown(node), "a list of objects, each with name, plural and label")
    for item in items:
        part = part_of(item, world.problems, "an object", OBJECT_KEYS)
        spec = _object(part, world) if part is not None else None
        if part is None or spec is None:
            continue
        earlier = world.objects.setdefault(spec.name, spec)
        if earlier != spec:
            world.problems.unfit(
                part.table, f'the object "{spec.name}" declared in another way', "it declared alike, or once"
            )


def _object(part: Part, world: World) -> ObjectSpec | None:
    texts = {key: part.text(key) or "" for key in OBJECT_KEYS}
    for key in ("name", "plural", "label", "label_plural"):
        if key not in part:
            missing(world.problems, part, "an object", key)
    name, plural = texts["name"], texts["plural"]
    for key in ("name", "plural"):
        node = part.node(key)
        if node is not None and texts[key] in {*world.crm.objects, *world.crm.reserved}:
            world.problems.unfit(node, f'"{texts[key]}", which the CRM has itself', "another name")
        elif node is not None and texts[key] and not OBJECT_NAME.fullmatch(texts[key]):
            world.problems.unfit(node, f'"{texts[key]}"', "a name like whopProduct, of letters and digits")
    if name and name == plural:
        world.problems.unfit(
            part.node("plural") or part.table, f'"{plural}" for one and for many', "two names"
        )
    if not name or not plural:
        return None
    return ObjectSpec(
        name=name,
        plural=plural,
        declared=True,
        label=texts["label"],
        label_plural=texts["label_plural"],
        description=texts["description"],
        icon=texts["icon"] or None,
    )
