"""A look into the CRM that can write nothing, and that takes what is not there yet for empty."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from connector.core.mapping import Mapping
from connector.core.plan import Found, Stamp
from connector.core.records import Ref
from connector.ports import CrmAccount, Seek, Writer

Absent = MappingType[str, frozenset[str] | None]
"""CRM object → its fields that are not there yet; None: neither is the object."""


@dataclass(frozen=True, slots=True)
class _Looker:
    """Has no way to write: whoever tries is a defect, and is told so by Python."""

    writer: Writer
    absent: Absent

    def account(self) -> CrmAccount:
        return self.writer.account()

    def batch_size(self) -> int:
        return self.writer.batch_size()

    def learned(self) -> int | None:
        return None

    def look(self, mapping: Mapping, seeks: Sequence[Seek]) -> dict[Ref, Found]:
        there = self._there(mapping)
        if there is None:
            return {seek.ref: Found() for seek in seeks}
        fields = {spec.name for spec in there.specs}
        known = [seek._replace(keys=tuple(key for key in seek.keys if key[0] in fields)) for seek in seeks]
        return self.writer.look(there, known)

    def living(self, mapping: Mapping, ids: Sequence[str]) -> set[str]:
        there = self._there(mapping)
        return self.writer.living(there, ids) if there is not None else set()

    def stamps(self, mapping: Mapping, ids: Sequence[str]) -> dict[str, Stamp]:
        there = self._there(mapping)
        return self.writer.stamps(there, ids) if there is not None else {}

    def _there(self, mapping: Mapping) -> Mapping | None:
        """The mapping as far as the CRM has what it writes."""
        absent = self.absent.get(mapping.object.name, frozenset())
        if absent is None:
            return None
        if not absent:
            return mapping
        return replace(
            mapping,
            fields=tuple(rule for rule in mapping.fields if rule.spec.name not in absent),
            links=tuple(rule for rule in mapping.links if rule.spec.name not in absent),
            stamps=tuple(spec for spec in mapping.stamps if spec.name not in absent),
        )


def looker(writer: Writer, absent: Absent) -> Writer:
    """The writer, without its hands."""
    return cast("Writer", _Looker(writer, absent))
