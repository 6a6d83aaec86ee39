"""What of a CRM record may be written: who owns each field, and what another CRM record holds already.

Where several source records share one CRM record, the first of them owns its fields and the others only fill
what is empty. A further e-mail address is added beside the first, which stays: nothing a person can be
reached by is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from typing import Any, Final, NamedTuple

from connector.core.mapping import Mapping, Own, key_text
from connector.core.plan import Memory, value_hash
from connector.core.records import CrmRow, Values

_KEPT: Final = object()
_THERE: Final = object()
FURTHER: Final = "additionalEmails"


class Changes(NamedTuple):
    """``values`` are to be written; ``ours`` are the fields that hold what we say, then; ``left_out`` are
    those that another CRM record holds, with that record; ``drift`` are those to be written that do not hold
    what was written last."""

    values: Values
    ours: tuple[str, ...]
    left_out: tuple[tuple[str, CrmRow], ...]
    drift: tuple[str, ...] = ()


class Standing(NamedTuple):
    """How we stand to a CRM record: what we wrote into it last, and what others did who own it before us."""

    memory: Memory
    second: bool = False
    others: Sequence[Memory] = ()


def changes(
    values: Values, mapping: Mapping, row: CrmRow, standing: Standing, held: MappingType[str, CrmRow]
) -> Changes:
    """Compare with what the row holds, field by field. ``held``: fields whose value another row has."""
    types = {spec.name: spec.type for spec in mapping.specs}
    ownership = mapping.ownership
    changed: Values = {}
    ours: list[str] = []
    left_out: list[tuple[str, CrmRow]] = []
    for name, value in values.items():
        if row.values.get(name) == value:
            if not standing.second:  # the first one's, even where it is the same
                ours.append(name)
            continue
        decide = _new_emails if types[name] == "emails" else _new_value
        new = decide(ownership[name], name, value, row, standing)
        if new is _KEPT:
            continue
        if new is not _THERE:
            if name in held and value is not None:
                left_out.append((name, held[name]))
                continue
            changed[name] = new
        ours.append(name)
    drift = () if standing.second else tuple(_drifted(changed, ownership, row, standing.memory))
    return Changes(changed, tuple(ours), tuple(left_out), drift)


def _drifted(changed: Values, ownership: MappingType[str, Own], row: CrmRow, memory: Memory) -> Iterator[str]:
    """The fields that are ours alone, that we wrote, and that somebody else wrote since."""
    for name in changed:
        if ownership[name] is not Own.ALWAYS or name not in memory:
            continue
        if not remembers(memory, name, value_hash(row.values.get(name))):
            yield name


def _new_value(own: Own, name: str, value: Any, row: CrmRow, standing: Standing) -> Any:
    if own is Own.ALWAYS and not standing.second:
        return value
    if own in (Own.ALWAYS, Own.FILL):
        return value if _is_empty(name, row, standing) or _is_ours(name, row, standing) else _KEPT
    return _KEPT


def _is_empty(name: str, row: CrmRow, standing: Standing) -> bool:
    """Whether the field holds nothing, unless that is what those before us say."""
    return row.values.get(name) is None and not _is_theirs(name, row, standing)


def _is_ours(name: str, row: CrmRow, standing: Standing) -> bool:
    """Whether the field holds what we wrote last, and none of those before us says so too."""
    now = value_hash(row.values.get(name))
    return remembers(standing.memory, name, now) and not _is_theirs(name, row, standing)


def _is_theirs(name: str, row: CrmRow, standing: Standing) -> bool:
    now = value_hash(row.values.get(name))
    return any(remembers(other, name, now) for other in standing.others)


_LONGEST: Final = 16_384


def held(row: CrmRow, names: Iterable[str]) -> Values:
    """What the row holds in these fields, to be kept beside what is written over it.

    With the further addresses, which are written whole; without what is too long to be kept.
    """
    return {name: value for name in names if _may_be_kept(value := _whole(row, name))}


def _whole(row: CrmRow, name: str) -> Any:
    value, further = row.values.get(name), row.further.get(name)
    return {"primaryEmail": "", **(value or {}), FURTHER: list(further)} if further else value


def _may_be_kept(value: Any) -> bool:
    return type(value) is not str or len(value) <= _LONGEST


def first_of(value: Any) -> Any:
    """The value that ``held`` told, without further addresses: as what we wrote is remembered."""
    if not isinstance(value, dict) or FURTHER not in value:
        return value
    return {"primaryEmail": value["primaryEmail"]} if value["primaryEmail"] else None


def remembers(memory: Memory, name: str, hash_: int) -> bool:
    """Whether this is what was written last."""
    remembered = memory.get(name)
    return remembered is not None and remembered[0] == hash_


def _new_emails(own: Own, name: str, value: Any, row: CrmRow, standing: Standing) -> Any:
    """The addresses to be written, with the further ones that there are."""
    current, further = row.values.get(name), row.further.get(name, ())
    if own not in (Own.ALWAYS, Own.FILL):
        return _KEPT
    if value is None:
        return _new_value(own, name, value, row, standing)
    mine = key_text(value)
    if current is None:
        return _emails(mine, further) if _is_empty(name, row, standing) else _KEPT
    first = key_text(current)
    if _is_ours(name, row, standing):
        return _emails(mine, (first, *further))
    if mine in further:
        return _THERE
    if _is_filling(own, standing) and remembers(standing.memory, name, value_hash(value)):
        return _KEPT  # it stood there, and a person took it away
    return _emails(first, (*further, mine))


def _is_filling(own: Own, standing: Standing) -> bool:
    return own is Own.FILL or standing.second


def _emails(first: str, further: Sequence[str]) -> Values:
    others = [one for one in dict.fromkeys(further) if one != first]
    return {"primaryEmail": first, FURTHER: others} if others else {"primaryEmail": first}
