"""The schema plan as a page shows it: object by object, and below each what a person has to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from connector.ports.crm_model import SchemaStep
from connector.web import present, shell
from connector.web.crm_links import CrmLinks


class Line(NamedTuple):
    """An object, or one field of it (``of_field``): its state, what is so, what to do, and where."""

    where: str
    word: str
    shape: str
    tone: str
    what: str
    small: str = ""
    link: str = ""
    of_field: bool = False


_FIELD_STATE = {
    "conflict": ("In the way", "failed", "bad"),
    "drifted": ("Changed in Twenty", "info", ""),
    "unique": ("Made unique", "updated", "ok"),
    "options": ("New options", "updated", "ok"),
    "create": ("Made again", "created", "ok"),
    "right": ("Not known", "info", ""),
}


def lines(steps: Sequence[SchemaStep], crm: CrmLinks) -> Iterator[Line]:
    """A line for each object, then one for each field of it of which there is something to say."""
    for object_, group in groupby(steps, lambda step: step.object):
        found = list(group)
        yield _of_object(object_, found, crm)
        yield from (
            _of_field(step, crm) for step in found if step.field and (step.why or step.do == "conflict")
        )


def _of_object(object_: str, steps: Sequence[SchemaStep], crm: CrmLinks) -> Line:
    label, own = shell.vocabulary().object(object_), steps[0]
    link = crm.page(own.at)
    if own.do == "conflict":
        return Line(label, "In the way", "failed", "bad", own.why, own.todo, link)
    new = [step for step in steps if step.field and step.do == "create"]
    wider = [step for step in steps if step.do in ("options", "unique")]
    names = ", ".join(shell.vocabulary().field(object_, step.field or "") for step in [*new, *wider])
    told = ["new object"] if own.do == "create" else []
    told += [present.plural(len(new), "new field")] if new else []
    told += [f"{present.plural(len(wider), 'field')} changed"] if wider else []
    if told:
        word = "New object" if own.do == "create" else "New fields" if new else "Changed fields"
        what = ", ".join(told)
        shape = "created" if new else "updated"
        return Line(label, word, shape, "ok", f"{what[:1].upper()}{what[1:]}", names)
    if own.do == "drifted":
        return Line(label, "Changed in Twenty", "info", "", f"{own.why} It stays so.", link=link)
    conflicts = sum(step.do == "conflict" for step in steps)
    if conflicts:
        return Line(label, "In the way", "failed", "bad", present.plural(conflicts, "conflict"))
    count = present.plural(len(steps) - 1, "field")
    return Line(label, "Right", "success", "ok", f"{count}, nothing to create")


def _of_field(step: SchemaStep, crm: CrmLinks) -> Line:
    words = shell.vocabulary()
    where = f"{words.object(step.object)} · {words.field(step.object, step.field or '')}"
    what = f"{step.why} It stays so." if step.do == "drifted" else step.why
    link = crm.page(step.at) if step.do in ("conflict", "drifted") else ""
    return Line(where, *_FIELD_STATE[step.do], what, step.todo, link, of_field=True)
