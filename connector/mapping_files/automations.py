"""Automation files: YAML → ``core.automation.Automation``, every mistake of every file reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from connector.core.automation import RENEWAL, VERBS, Automation, Step, Verb
from connector.core.catalogue import CrmCatalogue, SourceCatalogue
from connector.core.mapping import Filter
from connector.core.wording import words
from connector.errors import AutomationFileError
from connector.mapping_files import nodes
from connector.mapping_files.filters import filters_of
from connector.mapping_files.loading import text_of_file
from connector.mapping_files.nodes import Node, Scalar, Table, compose, plain, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, missing, part_of, text_of, texts_of
from connector.mapping_files.templates import message_of
from connector.mapping_files.world import World

KEYS: Final = (
    *("version", "title", "about", "on", "before", "when"),
    *("choose", "unless", "wait", "do", "retry"),
)
STEP_KEYS: Final = (*VERBS, "text", "until", "wait", "answer_within")
RETRY_KEYS: Final = ("calls", "job")
_NEEDED: Final = ("version", "title", "about", "on", "do")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_PERIOD: Final = re.compile(r"(\d{1,4}) (second|minute|hour|day|week)s?")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_A_PERIOD: Final = "a period like 5 seconds, 10 minutes or 3 days"
_FACTS: Final = ("payment", "membership")
"""The kinds whose events lead to a membership, which is what steps act on."""
_MOST_RETRIES: Final = 10
_LONGEST_CALL: Final = timedelta(seconds=30)
"""A longer wait is not sat out by a worker: it belongs under ``job``."""


def load_automations(directory: Path, source: SourceCatalogue, crm: CrmCatalogue) -> tuple[Automation, ...]:
    """Every ``*.yaml`` of a folder, by name; none is no mistake. Raises AutomationFileError."""
    problems = Problems()
    if not directory.is_dir():
        raise AutomationFileError([f"{directory}: found no such folder, expected one of automation files"])
    paths = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    texts = {path.name: text for path in paths if (text := text_of_file(path, problems)) is not None}
    return _load(texts, World(source, crm, problems, {}))


def load_automation_texts(
    texts: Mapping[str, str], source: SourceCatalogue, crm: CrmCatalogue
) -> tuple[Automation, ...]:
    """File name → its text."""
    return _load(texts, World(source, crm, Problems(), {}))


def _load(texts: Mapping[str, str], world: World) -> tuple[Automation, ...]:
    made = [one for name, text in sorted(texts.items()) if (one := _automation(name, text, world))]
    for name in texts:
        first = f"{Path(name).stem}.yaml"
        if name != first and first in texts:
            world.problems.at(name, 1, 1, f"found a second file of this name, expected {first} alone")
    if world.problems:
        raise AutomationFileError(world.problems.lines())
    return tuple(made)


def _automation(file: str, text: str, world: World) -> Automation | None:
    problems, name = world.problems, Path(file).stem
    if not _NAME.fullmatch(name):
        problems.at(file, 1, 1, f'found the name "{name}", expected one of small letters, digits and _')
    if not text.strip():
        problems.at(file, 1, 1, "found an empty file, expected an automation")
        return None
    node = compose(file, text, problems)
    root = part_of(node, problems, "an automation", dict.fromkeys(KEYS, "")) if node is not None else None
    if root is None:
        return None
    for key in _NEEDED:
        if key not in root:
            missing(problems, root, "an automation", key)
    _version(root)
    on = _events(root, world)
    fact = (world.source.events[on[0][1]] if on[0][1] != RENEWAL else "membership") if on else ""
    calls, job = _retry(root)
    steps, before = tuple(_steps(root, fact, world)), _before(root, on)
    if not on or not steps:
        return None
    return Automation(
        name=name,
        title=root.text("title") or "",
        about=" ".join((root.text("about") or "").split()),
        on=frozenset(event for _, event in on),
        fact=fact,
        steps=steps,
        when=_when(root, fact, world),
        chooses_plans=_has(root, "choose", "plans"),
        unless_access=_has(root, "unless", "has_access"),
        before=before,
        calls=calls,
        job=job,
    )


def _version(root: Part) -> None:
    node = root.node("version")
    if node is not None and plain(node) != 1:
        root.problems.unfit(node, shown(node), "1")


def _events(root: Part, world: World) -> list[tuple[Scalar, str]]:
    node, problems = root.node("on"), world.problems
    known = {name: kind for name, kind in world.source.events.items() if kind in _FACTS}
    known[RENEWAL] = "membership"
    found = texts_of(node, problems, "an event, or a list of them") if node is not None else []
    for spot, name in found:
        if name not in known:
            problems.unknown(
                spot, name, f"an event of {world.source.source} about a payment or a membership", known
            )
        elif RENEWAL in (name, found[0][1]) and name != found[0][1]:
            problems.unfit(spot, f"{name} beside {found[0][1]}", f"{RENEWAL} alone, or events")
        elif found[0][1] in known and known[name] != known[found[0][1]]:
            problems.unfit(spot, f"{name} beside {found[0][1]}", f"events about a {known[found[0][1]]} alone")
    return [(spot, name) for spot, name in found if name in known]


def _before(root: Part, on: list[tuple[Scalar, str]]) -> timedelta | None:
    """How long before a renewal; no other automation has it."""
    node, renews = root.node("before"), bool(on) and on[0][1] == RENEWAL
    if renews and node is None:
        missing(root.problems, root, f"an automation on {RENEWAL}", "before")
    if node is not None and on and not renews:
        root.problems.add(
            root.spot("before"), f"found before: beside an event, expected it beside on: {RENEWAL}"
        )
    return _period(node, root.problems) if renews else None


def _when(root: Part, fact: str, world: World) -> tuple[Filter, ...]:
    part = root.part("when", "when")
    return filters_of(part, fact, world) if part is not None else ()


def _has(root: Part, key: str, word: str) -> bool:
    """Whether a key that knows one word is there."""
    text, node = root.text(key), root.node(key)
    if text is not None and node is not None and text != word:
        root.problems.unknown(node, text, word, (word,))
    return text == word


# --- do


def _until(part: Part, number: int, fact: str) -> bool:
    """A later step of an automation about payments may wait until it is paid."""
    wanted = _has(part, "until", "paid")
    if wanted and (number == 0 or fact != "payment"):
        part.problems.add(
            part.spot("until"), "found until: here, expected it at a later step of what a payment sets off"
        )
    return wanted


def _steps(root: Part, fact: str, world: World) -> Iterator[Step]:
    node, problems = root.node("do"), root.problems
    if node is None:
        return
    items = node.items if isinstance(node, nodes.Sequence) else (node,)
    if not items:
        problems.unfit(node, "an empty list", "at least one step like cancel: now")
    first = _period(root.node("wait"), problems)
    for number, item in enumerate(items):
        part = part_of(item, problems, "a step", dict.fromkeys(STEP_KEYS, ""))
        step = _step(part, world) if part is not None else None
        if step is not None and part is not None:
            wait = _period(part.node("wait"), problems) or (first if number == 0 else None)
            until_paid, patience = _until(part, number, fact), _patience(part, step)
            yield replace(step, wait=wait or timedelta(0), until_paid=until_paid, patience=patience)


def _patience(part: Part, step: Step) -> timedelta:
    """How long an answer to a message is waited for."""
    period = _period(part.node("answer_within"), part.problems)
    if "answer_within" in part and step.verb != "message":
        found = f"found answer_within: beside {step.verb}, expected it beside a message"
        part.problems.add(part.spot("answer_within"), found)
    return period or step.patience


def _step(part: Part, world: World) -> Step | None:
    verbs = [verb for verb in VERBS if verb in part]
    if len(verbs) != 1:
        found = f"{len(verbs)} of these" if verbs else "a step that does nothing"
        part.problems.unfit(part.table, found, f"{listed(VERBS)}, with how")
        return None
    verb = verbs[0]
    text, node = part.text(verb), part.node(verb)
    if not VERBS[verb]:
        return _said(part, verb, world)
    if text is not None and node is not None and text not in VERBS[verb]:
        part.problems.unknown(node, text, listed(VERBS[verb]), VERBS[verb])
    return Step(verb, text) if text is not None and text in VERBS[verb] else None


def _said(part: Part, verb: Verb, world: World) -> Step | None:
    """A step that has words: its own, and for an e-mail (which is not markdown) or a task some more."""
    node, more, plain = part.node(verb), part.node("text"), verb == "email"
    says = message_of(node, world, plain=plain) if node is not None else None
    body = message_of(more, world, plain=plain, endless=plain) if more is not None else words([])
    if more is not None and verb == "message":
        part.problems.add(part.spot("text"), "found text: beside a message, expected it beside a task")
    if more is None and verb == "email":
        missing(part.problems, part, "an e-mail", "text")
        return None
    return Step(verb, part.text(verb) or "", says=says, body=body) if says and body else None


# --- waits


def _retry(root: Part) -> tuple[tuple[timedelta, ...], tuple[timedelta, ...]]:
    part = root.part("retry", "retry", dict.fromkeys(RETRY_KEYS, ""))
    if part is None:
        return (), ()
    calls = _periods(part, "calls")
    for spot, period in calls:
        if period > _LONGEST_CALL:
            part.problems.unfit(spot, shown(spot), "at most 30 seconds; longer waits stand under job")
    return tuple(one for _, one in calls), tuple(one for _, one in _periods(part, "job"))


def _periods(part: Part, key: str) -> list[tuple[Scalar, timedelta]]:
    node = part.node(key)
    texts = texts_of(node, part.problems, f"{_A_PERIOD}, or a list of them") if node is not None else []
    if node is not None and len(texts) > _MOST_RETRIES:
        part.problems.unfit(node, f"{len(texts)} tries", f"at most {_MOST_RETRIES}")
    found = [(spot, _period(spot, part.problems)) for spot, _ in texts]
    return [(spot, one) for spot, one in found if one is not None]


def _period(node: Node | None, problems: Problems) -> timedelta | None:
    if node is None:
        return None
    text = text_of(node, problems, _A_PERIOD) if not isinstance(node, Table) else None
    period = _PERIOD.fullmatch(text) if text is not None else None
    if isinstance(node, Table) or (text is not None and period is None):
        problems.unfit(node, shown(node), _A_PERIOD)
    return timedelta(seconds=int(period[1]) * _SECONDS[period[2]]) if period else None
