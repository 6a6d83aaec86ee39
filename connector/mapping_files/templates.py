"""The text of a message: fixed words with fields of the membership and of its member, checked by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connector.core import rules
from connector.core.notes import Words
from connector.core.wording import Piece, words
from connector.mapping_files.nodes import Node, shown
from connector.mapping_files.problems import listed
from connector.mapping_files.reading import text_of
from connector.mapping_files.values import PATH, said
from connector.mapping_files.world import World, type_at

_PIECE: Final = re.compile(r"\{([^{}]*)\}")
_SAYABLE: Final = frozenset({"text", "id", "time", "number", "boolean", "money"})
_MEMBER: Final = "member."
"""Before the name of a field of the member; without it a field is the membership's."""
_LONGEST: Final = 4_000


def message_of(node: Node, world: World, *, plain: bool = False, endless: bool = False) -> Words | None:
    """The words of a message; None, reported, where they cannot be. ``plain``, ``endless``: see ``words``."""
    text, problems = text_of(node, world.problems, "the text of a message"), world.problems
    if text is None:
        return None
    if len(text) > _LONGEST or re.search(r"[{}]", _PIECE.sub("", text)):
        expected = f'at most {_LONGEST} characters, with field names in braces like "{{product.title}}"'
        problems.unfit(node, shown(node), expected)
        return None
    return words(list(_pieces(node, text, world)), plain=plain, endless=endless)


def _pieces(node: Node, text: str, world: World) -> Iterator[Piece]:
    for position, piece in enumerate(_PIECE.split(text)):
        if position % 2 == 0:
            if piece:
                yield piece
            continue
        kind = "member" if piece.startswith(_MEMBER) else "membership"
        paths, name = world.source.kinds[kind], piece.removeprefix(_MEMBER)
        flow = type_at(name, paths) if PATH.fullmatch(name) else None
        if flow is None:
            among = (
                *world.source.kinds["membership"],
                *(f"{_MEMBER}{one}" for one in world.source.kinds["member"]),
            )
            expected = f"a field of the {world.source.source} membership, or member. and one of its member"
            world.problems.unknown(node, piece, expected, among)
        elif not flow or not flow <= _SAYABLE:
            found = f"{piece}, which is {said(flow) if flow else 'not described'}"
            world.problems.unfit(node, found, f"{listed(sorted(_SAYABLE))} in a text")
        else:
            yield rules.path(piece), next(iter(flow))
