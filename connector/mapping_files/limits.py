"""``limits``: how much one sync may do before an admin is asked."""

from __future__ import annotations

import re
from typing import Final

from connector.core.limits import USUAL, Limits
from connector.mapping_files.nodes import Scalar, shown
from connector.mapping_files.problems import Problems
from connector.mapping_files.reading import Part

KEYS: Final = dict.fromkeys(("most_removed", "most_changed"), "")
_SHARE: Final = re.compile(r"(100|[1-9]?[0-9])\s?%")


def limits(root: Part, problems: Problems) -> Limits:
    """A table of shares; what is left out is as it is without the table."""
    part = root.part("limits", "limits", KEYS)
    if part is None:
        return USUAL
    removed, changed = _share(part, "most_removed", problems), _share(part, "most_changed", problems)
    return Limits(USUAL.most_removed if removed is None else removed, changed)


def _share(part: Part, key: str, problems: Problems) -> int | None:
    node = part.node(key)
    if node is None:
        return None
    found = _SHARE.fullmatch(node.text.strip()) if isinstance(node, Scalar) and node.text else None
    if found is None:
        problems.unfit(node, shown(node), "a share of the records from 0% to 100%, such as 10%")
        return None
    return int(found[1])
