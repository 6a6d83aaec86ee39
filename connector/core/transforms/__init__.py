"""The functions that a mapping file may name under ``using``: a closed table of pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connector.core.mapping import ValueProblem
from connector.core.transforms import contacts, numbers, texts, times
from connector.core.transforms.kit import (
    VALUE_TYPES,
    Argument,
    Example,
    Transform,
    as_text,
    is_of,
)

TRANSFORMS: Final[Mapping[str, Transform]] = MappingProxyType(
    {**texts.FUNCTIONS, **numbers.FUNCTIONS, **times.FUNCTIONS, **contacts.FUNCTIONS}
)
"""Name → function: every word that ``using`` understands of itself."""

__all__ = [
    "TRANSFORMS",
    "VALUE_TYPES",
    "Argument",
    "Example",
    "Transform",
    "ValueProblem",
    "as_text",
    "is_of",
]
