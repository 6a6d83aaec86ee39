"""What the source and the CRM offer, as data: the words that a mapping file may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ValueType = str
"""The type of a value on its way: text, number, boolean, time, money, id, list or object.

``time`` is canonical ISO text in UTC; ``money`` is ``{"amount": "49.00", "currency": "usd", …}``;
``id`` is text that identifies a record. A path into ``object`` reaches any type and is not checked.
"""


@dataclass(frozen=True, slots=True)
class SourceCatalogue:
    """Kind → dotted path of the canonical record → value type; ``order`` lists parents before children.

    ``events``: name of an event → the kind of record that it tells of. ``short``: kind → word that texts of
    notes may use → the path that it stands for. ``words``: kind → path → the words it is known to hold.
    """

    source: str
    kinds: Mapping[str, Mapping[str, ValueType]]
    order: tuple[str, ...]
    events: Mapping[str, str] = field(default_factory=dict)
    short: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrmType:
    """A field type of the CRM.

    ``canonical`` turns a fitting value into the form in which it is compared and stored (None for empty);
    it raises ValueProblem. ``accepts`` are the value types that may reach it.
    """

    canonical: Callable[[Any], Any]
    accepts: frozenset[ValueType]


@dataclass(frozen=True, slots=True)
class CrmObject:
    """A standard object: its plural name and its fields with their CRM types, relations with the target."""

    plural: str
    fields: Mapping[str, str]
    relations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrmCatalogue:
    """The CRM's standard objects and its field types. ``select_value`` stores a label."""

    types: Mapping[str, CrmType]
    objects: Mapping[str, CrmObject]
    reserved: frozenset[str]
    select_value: Callable[[str], str]
