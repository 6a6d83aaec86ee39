"""A few real records looked at at once, by files that may not be in force: for a page, without a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.core import outcomes as core_outcomes
from connector.core.mapping import Mapping, UnknownChoice, ValueProblem
from connector.core.outcomes import Counts, Outcome
from connector.core.records import UNKNOWN, BadRecord, Page, SourceRecord
from connector.store import connections, removals, runs, workspaces
from connector.store.connections import Connection
from connector.sync import mirror, modelling, previewing, selling
from connector.sync.drifting import DOUBT
from connector.sync.mappings import Mapped
from connector.sync.scope import Scope
from connector.sync.tools import Tools


@dataclass(frozen=True, slots=True)
class Looked:
    """What would become of the records that were looked at, out of ``known`` that are linked; ``more``: the
    source lists more than were looked at.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    more: bool = False
    known: int = 0

    @property
    def counts(self) -> Counts:
        """Object → result → how many."""
        return core_outcomes.tally(self.outcomes)

    @property
    def fields(self) -> list[tuple[str, str, int]]:
        """(object, field, in how many records it would be written), the most frequent first."""
        found = Counter(
            (one.object, name) for one in self.outcomes if one.error is None for name in one.after or ()
        )
        return [(object_, name, count) for (object_, name), count in found.most_common()]


@dataclass(frozen=True, slots=True)
class One:
    """A record of the source and what would become of it. ``outcome`` is None where that was not asked."""

    record: SourceRecord
    outcome: Outcome | None = None


class Told(NamedTuple):
    """One field of a record: what it becomes, and what is and would be in the CRM where that changes."""

    field: str
    becomes: str
    before: str = ""
    after: str = ""
    wrong: str = ""


def told(found: One, mapping: Mapping) -> Iterator[Told]:
    """A record field by field; one that cannot be told says why by its line, the others go on."""
    outcome = found.outcome
    before = (outcome.before if outcome else None) or {}
    after = (outcome.after if outcome else None) or {}
    for rule in mapping.fields:
        name = rule.spec.name
        try:
            value = rule.read(found.record.fields)
        except ValueProblem as problem:
            wrong = f"line {rule.line}: expected {problem.expected}, found {problem.found}"
            yield Told(name, "", wrong=wrong)
            continue
        value = value.instead if type(value) is UnknownChoice else value
        changes = (str(before.get(name)), str(after[name])) if name in after else ("", "")
        yield Told(name, "not told" if value is UNKNOWN else str(value), *changes)


def look(
    tools: Tools, companies: Sequence[Connection], mapped: Mapped, kinds: Sequence[str], *, most: int
) -> Looked:
    """Judge the first records of these kinds, as many of each company.

    Raises the run-level errors of the ports.
    """
    each = [_look(tools, one, mapped, kinds, max(1, most // len(companies))) for one in companies]
    return Looked(
        [outcome for one in each for outcome in one.outcomes],
        any(one.more for one in each),
        sum(one.known for one in each),
    )


def _look(tools: Tools, connection: Connection, mapped: Mapped, kinds: Sequence[str], most: int) -> Looked:
    scope = _scope(tools, connection, mapped)
    found: list[Outcome] = []
    more, known = False, 0
    for mapping in (one for one in mapped if one.kind in kinds):
        pages, cut = _first(scope, mapping, most)
        found += previewing.judged(scope, mapping, pages, set())
        more = more or cut
        with tools.database.reading() as session:
            known += removals.count(session, scope.claims(mapping))
    return Looked(found, more, known)


def one(tools: Tools, connection: Connection, mapped: Mapped, kind: str, id_: str = "") -> One | None:
    """One record by its id, else the first that the source lists; None where there is none.

    Raises RecordError for one that cannot be read, and the run-level errors of the ports.
    """
    scope = _scope(tools, connection, mapped)
    mapping = next(each for each in mapped if each.kind == kind)
    if id_:
        page = previewing.fetched(scope, mapping, [id_])
    else:
        page = next(iter(scope.reader.pages(kind, None)), Page((), None, last=True))
        page = Page(page.items[:1], None, last=True)
    (page,) = selling.with_sums(scope, mapping, [page])
    item = page.items[0] if page.items else None
    if isinstance(item, BadRecord):
        raise item.error
    if not isinstance(item, SourceRecord):
        return None
    (outcome,) = previewing.judged(scope, mapping, [page], set())
    return One(item, outcome)


def _first(scope: Scope, mapping: Mapping, most: int) -> tuple[list[Page], bool]:
    """Pages until so many records are read, and whether there are more."""
    pages: list[Page] = []
    for page in scope.reader.pages(mapping.kind, None):
        pages.append(page)
        if sum(len(each.items) for each in pages) >= most:
            break
    return pages, bool(pages) and not pages[-1].last


def _scope(tools: Tools, connection: Connection, mapped: Mapped) -> Scope:
    """The steps' view of it. They know runs; this one is never saved, and its writer cannot write."""
    with tools.database.reading() as session:
        workspace = workspaces.get(session, connection.workspace_id)
        connection = connections.get(session, workspace.id, connection.id)
    return Scope(
        tools.database,
        mapped.mappings,
        tools.open_reader(connection, "incremental"),
        modelling.open_looker(tools, workspace, mapped, "incremental"),
        tools.clock,
        "page",
        mirror.LEASE,
        _as_run(tools, connection, mapped),
        sales_known=bool(mapped.kept) and connection.sales_read_at is not None,
        kept=mapped.kept,
    )


def _as_run(tools: Tools, connection: Connection, mapped: Mapped) -> runs.Run:
    now = tools.clock()
    return runs.Run(
        number=0,
        id="page",
        workspace_id=connection.workspace_id,
        connection_id=connection.id,
        type="preview",
        status="running",
        why="",
        correlation_id="",
        mapping_version=mapped.version,
        counts={},
        unknown_choices={},
        checkpoint={DOUBT: True},
        checkpoint_version=0,
        drift=0,
        error=None,
        lease_owner=None,
        lease_until=None,
        due_at=now,
        queued_at=now,
        started_at=now,
        ended_at=None,
        active_key=None,
    )
