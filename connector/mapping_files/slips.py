"""Words of the source that a file misspells."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from connector.mapping_files.nodes import Node, Scalar, shown
from connector.mapping_files.problems import Problems, did_you_mean

_LIKENESS: Final = 0.75
"""How alike a word must be to be taken for a slip: the source may have words that are new to us."""
_MOST: Final = 50
"""Strange words that are looked at: a file of thousands must not take seconds."""


def check_words(
    nodes: Iterable[Node], known: Collection[str], meant: Collection[str], path: str, problems: Problems
) -> None:
    """Report each that is not ``known`` to be sent, and nearly one that may be ``meant``."""
    strange = [node for node in nodes if isinstance(node, Scalar) and node.text not in known] if known else []
    for node in strange[:_MOST]:
        if hint := did_you_mean(node.text, meant, cutoff=_LIKENESS):
            problems.unfit(node, shown(node), f"a word that {path} is known to hold{hint}")
