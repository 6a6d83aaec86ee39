"""``notes`` and ``tasks`` of a file → their rules, or every reason why they cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from connector.core import rules
from connector.core.mapping import Fields, Filter, Read, passes
from connector.core.notes import OWNER, Kind, NoteRule, within
from connector.core.records import UNKNOWN
from connector.core.sales import KINDS
from connector.core.wording import Piece, words
from connector.mapping_files import nodes
from connector.mapping_files.filters import filters_of
from connector.mapping_files.lines import Lines
from connector.mapping_files.nodes import Node, Scalar, Table, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, missing, part_of, text_of, texts_of
from connector.mapping_files.values import PATH, said
from connector.mapping_files.world import World, type_at

_PARENT: Final = "membership"
"""The kind that payments, refunds and disputes belong to."""

NOTE_KEYS: Final = ("name", "on", "only", "once_per", "to", "title", "text")
TASK_KEYS: Final = (*NOTE_KEYS, "due", "assignee", "done_on")
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
_PERIOD: Final = re.compile(r"(\d{1,4}) (hour|day|week)s?")
_HOURS: Final = {"hour": 1, "day": 24, "week": 168}
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PIECE: Final = re.compile(r"\{([^{}]*)\}")
_SAYABLE: Final = frozenset({"text", "id", "time", "number", "boolean", "money"})


def notes_of(root: Part, lines: Lines) -> tuple[NoteRule, ...]:
    """Both lists of the file."""
    found: dict[str, NoteRule] = {}
    for key, kind, keys in (("notes", "note", NOTE_KEYS), ("tasks", "task", TASK_KEYS)):
        for node in _items(root, key, lines.world.problems):
            part = part_of(node, lines.world.problems, f"a {kind}", dict.fromkeys(keys, ""))
            rule = _Entry(part, "task" if kind == "task" else "note", lines).rule() if part else None
            if part is not None and rule is not None:
                _add(found, rule, part, lines.world.problems)
    return tuple(found.values())


def _items(root: Part, key: str, problems: Problems) -> Sequence[Node]:
    node = root.node(key)
    if node is None:
        return ()
    if not isinstance(node, nodes.Sequence):
        problems.unfit(node, shown(node), f"a list of {key}, each with on, once_per and text")
        return ()
    return node.items


def _add(found: dict[str, NoteRule], rule: NoteRule, part: Part, problems: Problems) -> None:
    """What there is once is told by the name, so no two may share it."""
    if rule.name in found:
        spot = part.node("name") or part.table
        problems.unfit(spot, f'"{rule.name}" twice', "a name: of its own for each of the notes and tasks")
    found[rule.name] = rule


class _Entry:
    """One entry on its way to a rule."""

    def __init__(self, part: Part, kind: Kind, lines: Lines) -> None:
        self._part = part
        self._kind = kind
        self._lines = lines
        self._world: World = lines.world
        self._problems = lines.world.problems

    def rule(self) -> NoteRule | None:
        for key in ("on", "once_per", "text"):
            if key not in self._part:
                missing(self._problems, self._part, f"a {self._kind}", key)
        on = self._events("on")
        fact = self._fact(on)
        once_per, to = self._once_per(fact), self._to()
        if fact is None or not on:
            return None
        title, text = self._words("title", fact, plain=True), self._words("text", fact)
        events, states = self._done(fact, once_per)
        return NoteRule(
            name=self._name(on, once_per),
            kind=self._kind,
            on=frozenset(name for _, name in on),
            fact=fact,
            once_per=once_per,
            to=to,
            title=title or words([_as_title(on[0][1])], plain=True),
            text=text or words([]),
            only=self._only(fact),
            due=self._due(fact),
            assignee=self._assignee(),
            done_on=events,
            done_in=states,
        )

    # --- which

    def _events(self, key: str) -> list[tuple[Scalar, str]]:
        node = self._part.node(key)
        known = self._world.source.events
        found = texts_of(node, self._problems, "an event, or a list of them") if node is not None else []
        for spot, name in found:
            if name not in known:
                self._problems.unknown(spot, name, f"an event of {self._world.source.source}", known)
            elif known[name] not in self._kinds():
                expected = f"one about {listed(self._kinds())}"
                self._problems.unfit(spot, f"{name}, an event about a {known[name]}", expected)
        return [(spot, name) for spot, name in found if known.get(name) in self._kinds()]

    def _kinds(self) -> tuple[str, ...]:
        """The kinds of record whose events come to a record of this file."""
        own = self._lines.kind
        return (own, *KINDS) if own == _PARENT else (own,)

    def _fact(self, on: Sequence[tuple[Scalar, str]]) -> str | None:
        kinds = list(dict.fromkeys(self._world.source.events[name] for _, name in on))
        for spot, name in on:
            if self._world.source.events[name] != kinds[0]:
                self._problems.unfit(spot, f"{name} beside {on[0][1]}", f"events about a {kinds[0]} alone")
        return kinds[0] if kinds else None

    def _once_per(self, fact: str | None) -> str:
        text, node = self._part.text("once_per"), self._part.node("once_per")
        if text is None or node is None or fact is None:
            return text or ""
        among = within(fact, self._lines.kind)
        if text not in among:
            self._problems.unknown(node, text, listed(among), among)
        return text

    def _name(self, on: Sequence[tuple[Scalar, str]], once_per: str) -> str:
        text, node = self._part.text("name"), self._part.node("name")
        if text is None or node is None:
            return f"{self._kind} {'+'.join(sorted(name for _, name in on))} per {once_per}"[:100]
        if not NAME.fullmatch(text):
            self._problems.unfit(node, shown(node), "a name like payment_failed, of small letters and digits")
        return text

    def _to(self) -> tuple[str, ...]:
        """Links by name, "" for the record itself; all of the file's people where nothing is said."""
        own, node = self._lines.object, self._part.node("to")
        links = {rule.spec.name: rule.spec.target for rule in self._lines.links}
        if node is None:
            return ("", *(name for name, target in links.items() if target == "person"))
        found = texts_of(node, self._problems, f"{own}, a link of this file, or a list of them")
        among = (own, *links)
        for spot, name in found:
            if name not in among:
                self._problems.unknown(spot, name, f"{own}, or a link of this file", among)
        return tuple(dict.fromkeys("" if name == own else name for _, name in found))

    def _only(self, fact: str) -> Callable[[Fields], bool] | None:
        part = self._part.part("only", "only")
        if part is None:
            return None
        filters = filters_of(part, fact, self._world)
        return lambda fields: all(passes(fields, one) for one in filters)

    # --- what

    def _words(self, key: str, fact: str, *, plain: bool = False) -> Callable[[Fields], str] | None:
        node = self._part.node(key)
        text = text_of(node, self._problems) if node is not None else None
        if text is None or node is None:
            return None
        if re.search(r"[{}]", _PIECE.sub("", text)):
            expected = 'text, with field names in braces like "{status}" where they are wanted'
            self._problems.unfit(node, shown(node), expected)
            return None
        return words(list(self._pieces(node, text, fact)), plain=plain)

    def _pieces(self, node: Node, text: str, fact: str) -> Iterator[Piece]:
        for position, piece in enumerate(_PIECE.split(text)):
            if position % 2 == 0:
                if piece:
                    yield piece
                continue
            found = self._path(node, piece, fact)
            if found is not None:
                path, flow = found
                if not flow <= _SAYABLE:
                    expected = f"{listed(sorted(_SAYABLE))} in a text"
                    self._problems.unfit(node, f"{piece}, which is {said(flow)}", expected)
                yield rules.path(path), next(iter(flow), "text")

    def _path(self, node: Node, name: str, fact: str) -> tuple[str, frozenset[str]] | None:
        """The path that a name stands for, with its type; None, reported, where there is none."""
        paths, short = self._world.source.kinds[fact], self._world.source.short.get(fact, {})
        path = short.get(name, name)
        flow = type_at(path, paths) if PATH.fullmatch(path) else None
        if flow is None:
            expected = f"a field of the {self._world.source.source} {fact}"
            self._problems.unknown(node, name, expected, (*short, *paths))
            return None
        return path, flow

    # --- tasks

    def _due(self, fact: str) -> tuple[timedelta | Read, ...]:
        node = self._part.node("due")
        expected = "a period like 3 days, a field that holds a time, or a list of these"
        found: list[timedelta | Read] = []
        for spot, text in texts_of(node, self._problems, expected) if node is not None else ():
            period = _PERIOD.fullmatch(text)
            if period:
                found.append(timedelta(hours=int(period[1]) * _HOURS[period[2]]))
            elif text[:1].isdigit():
                self._problems.unfit(spot, shown(spot), "a period like 12 hours, 3 days or 2 weeks")
            elif known := self._path(spot, text, fact):
                if known[1] != {"time"}:
                    self._problems.unfit(
                        spot, f"{text}, which is {said(known[1])}", "a field that holds a time"
                    )
                found.append(rules.path(known[0]))
        return tuple(found)

    def _assignee(self) -> str:
        text, node = self._part.text("assignee"), self._part.node("assignee")
        if text is None or node is None or text == "none":
            return ""
        if text == OWNER and self._world.relation_target(self._lines.object, OWNER) is None:
            self._problems.unfit(
                node, f"owner, which a {self._lines.object} does not have", "none or an e-mail"
            )
        elif text != OWNER and not _EMAIL.fullmatch(text):
            among = ("none", OWNER)
            expected = "none, owner, or the e-mail address of a member of the CRM workspace"
            self._problems.unknown(node, text, expected, among)
        return text

    def _done(self, fact: str, once_per: str) -> tuple[frozenset[str], Callable[[Fields], bool] | None]:
        """Events by name, or a table of states as under ``only``."""
        node = self._part.node("done_on")
        if not isinstance(node, Table):
            events = self._events("done_on")
            for spot, name in events:
                kind = self._world.source.events[name]
                if once_per not in within(kind, self._lines.kind):
                    self._problems.unfit(
                        spot, f"{name}, which tells of no {once_per}", f"events that name its {once_per}"
                    )
            return frozenset(name for _, name in events), None
        part = Part(node, self._problems)
        return frozenset(), _any_state(filters_of(part, fact, self._world))


def _any_state(filters: Sequence[Filter]) -> Callable[[Fields], bool]:
    def is_done(fields: Fields) -> bool:
        return all(_holds(fields, one) for one in filters)

    return is_done


def _holds(fields: Fields, one: Filter) -> bool:
    """Unlike under ``only``, what was not told is no reason to call something done."""
    value: Any = one.read(fields)
    return value is not UNKNOWN and passes(fields, one)


def _as_title(event: str) -> str:
    return event.replace(".", " ").replace("_", " ").capitalize()
