"""The mapping files of the workspace: which count, what each says, and one real record on its way through."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import flask
import structlog
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import MappingFileError, OwnMappingError, RefusedError
from connector.mapping_files import FileMapping, Recipe, TestResult, run_tests
from connector.store import connections, mappings
from connector.store.connections import Connection
from connector.store.mappings import Change
from connector.sync import changing
from connector.sync.mappings import Mapped
from connector.web import access, beside, limits, mapping_words, shell
from connector.web.mapping_words import Problem
from connector.web.vocabulary import Vocabulary

log = structlog.get_logger(__name__)

blueprint = access.protect(Blueprint("mapping", __name__))

CHECK_LIMIT = "30 per minute"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.ya?ml")
_NEW: Final = "version: 1\n\nsource:\n  kind: \n\ntarget:\n  object: \n\nmatch: []\n\nfields:\n"


class File(NamedTuple):
    """One line of the list. ``change`` is the latest, None where the file was never changed."""

    name: str
    mapping: FileMapping | None
    change: Change | None
    shipped: bool
    problems: int


class Offer(NamedTuple):
    """A recipe; ``everywhere``: the operator has switched it on for all."""

    recipe: Recipe
    on: bool
    everywhere: bool


def by_person() -> str:
    """Whom a limit of this page is counted for."""
    return f"person {g.person.id}"


@blueprint.get("/mappings", endpoint="listing")
def listing() -> str:
    """The files that count, the shipped ones and the workspace's own."""
    files = shell.parts().tools.mappings
    mapped, problems = in_force()
    with shell.parts().database.reading() as session:
        changes = mappings.latest(session, shell.workspace_id())
    names = dict.fromkeys([*files.shipped.texts, *changes])
    of = {one.file: one for one in mapped or ()}
    listed = [
        File(
            name,
            of.get(name),
            changes.get(name),
            name in files.shipped.texts,
            sum(one.file == name for one in problems),
        )
        for name in names
    ]
    texts = files.texts(g.workspace)
    offered = [
        Offer(one, one.is_in_force(texts), one.is_in_force(files.shipped.texts)) for one in files.recipes
    ]
    return render_template(
        "pages/mappings.html", files=listed, offered=offered, problems=problems, words=shell.vocabulary()
    )


@blueprint.post("/mappings")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def begin() -> ResponseReturnValue:
    """A file of another name, from nothing or uploaded."""
    upload = request.files.get("upload")
    name = request.form.get("name", "").strip() or (upload.filename if upload and upload.filename else "")
    name = name.rpartition("/")[2].lower()
    if not _NAME.fullmatch(name):
        shell.tell(
            "This name cannot be used", "Choose one like member.yaml: letters, digits and -.", tone="warn"
        )
        return flask.redirect(url_for(".listing"), 303)
    if upload is not None and upload.filename:
        return _check(name, *_read_upload(name))
    return flask.redirect(url_for(".show", file=name), 303)


@blueprint.get("/mappings/<file>")
def show(file: str) -> str:
    """One file: its text to edit, what it says in words, its tests, and one record beside it."""
    text = _text_of(named(file))
    mapped, problems = in_force()
    return page(
        file, text, mapped, [one for one in problems if one.file == file], base=g.workspace.mapping_change
    )


@blueprint.post("/mappings/<file>")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def check(file: str) -> ResponseReturnValue:
    """Check a text; with its mistakes marked, or on to what it would do. Nothing is saved."""
    named(file)
    upload = request.files.get("upload")
    if upload is not None and upload.filename:
        return _check(file, *_read_upload(file))
    return _check(file, request.form.get("text", "").replace("\r\n", "\n"), [])


def _check(file: str, text: str, wrong: list[Problem]) -> ResponseReturnValue:
    base = g.workspace.mapping_change
    if seen() != base:
        there = url_for("mapping_change.history", file=file)
        shell.tell_error(mappings.moved(), link=there, label="See the change")
        told = (
            "Somebody changed the files since you opened this page. Sent again, your text takes their place."
        )
        wrong = [*wrong, Problem(file, 0, 0, told)]
    draft = None
    if not wrong:
        try:
            draft = changing.drafted(shell.parts().tools, g.workspace, file, text)
        except MappingFileError as error:
            wrong = mapping_words.problems_of(error.problems)
        except RefusedError as error:
            wrong = [Problem(file, 0, 0, str(error))]
    if draft is None or draft.failed:
        tests = list(draft.tests) if draft else []
        return page(file, text, draft.after if draft else None, wrong, base=base, tests=tests), 422
    tools = shell.parts().tools
    tools.mappings.keep(g.workspace.id, draft.after, tools.clock())
    how = "uploaded" if request.files.get("upload") else "edited"
    there = url_for(
        "mapping_change.effects", file=file, version=draft.after.version, how=how, base=_base(base)
    )
    return flask.redirect(there, 303)


def _read_upload(file: str) -> tuple[str, list[Problem]]:
    raw = request.files["upload"].read()
    try:
        return raw.decode().replace("\r\n", "\n"), []
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        text = raw.decode(errors="replace").replace("\x00", "")
        return text, [Problem(file, line, 1, "found a character that is no text, expected UTF-8 text")]


def page(
    file: str,
    text: str,
    mapped: Mapped | None,
    problems: list[Problem],
    *,
    base: int | None,
    tests: list[TestResult] | None = None,
) -> str:
    """The page of a file, in whatever state its text is."""
    mapping = _of(mapped, file)
    words = Vocabulary(mapped) if mapped else shell.vocabulary()
    if tests is None:
        tests = run_tests(mapping) if mapping else []
    return render_template(
        "pages/mapping.html",
        file=file,
        text=text,
        base=_base(base),
        is_new=not text.strip() or text == _NEW,
        title=title_of(mapping, words, file),
        change=_latest(file),
        is_shipped=file in shell.parts().tools.mappings.shipped.texts,
        lines=mapping_words.marked(text, file, problems),
        problems=problems,
        elsewhere=[one for one in problems if one.file != file or not one.line],
        tests=tests,
        failed=[one for one in tests if not one.passed],
        mapping=mapping,
        words=words,
        rules=mapping_words.rules(mapping, words) if mapping else [],
        say=mapping_words,
        preview=_beside(file, mapped, words),
        connections=active(),
        args=lambda name: request.values.get(name, ""),
    )


def _of(mapped: Mapped | None, file: str) -> FileMapping | None:
    return next((one for one in mapped or () if one.file == file), None)


def _beside(file: str, mapped: Mapped | None, words: Vocabulary) -> beside.Preview | None:
    """A record by the text; while that does not load, by the file that counts."""
    which = beside.Which(chosen(), request.values.get("record", "").strip()[:100])
    if mapped is not None and (mapping := _of(mapped, file)) is not None:
        return beside.preview(which, mapping, mapped, words)
    now, _ = in_force()
    if now is None or (former := _of(now, file)) is None:
        return None
    found = beside.preview(which, former, now, words)
    return found._replace(why=f"As the file that counts has it: your text does not load yet. {found.why}")


# --- what the pages of mapping files share


def named(file: str) -> str:
    """The name of a file in an address; 404 for what is none."""
    if not _NAME.fullmatch(file):
        abort(404)
    return file


def in_force() -> tuple[Mapped | None, list[Problem]]:
    """What counts now; or, where that does not load any more, why not."""
    try:
        return shell.mappings(), []
    except OwnMappingError as error:
        return None, mapping_words.problems_of(error.problems)


def active() -> list[Connection]:
    """The connections whose records can be looked at."""
    with shell.parts().database.reading() as session:
        found = connections.of_workspace(session, shell.workspace_id())
    return [one for one in found if one.status == "active"]


def chosen() -> Connection | None:
    """The one that the address names, else the first; None where there is none."""
    found, wanted = active(), request.values.get("connection", "")
    return next((one for one in found if one.id == wanted), found[0] if found else None)


def seen() -> int | None:
    """The change that the author of a form saw."""
    told = request.values.get("base", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


def version_name(version: str) -> str:
    """What all files of a version are called together: by the change that made them, not by their hash."""
    now, _ = in_force()
    if version == shell.parts().tools.mappings.shipped.version:
        return "As shipped"
    with shell.parts().database.reading() as session:
        made = mappings.which_made(session, shell.workspace_id(), version)
    if made is not None:
        return f"Since version {made.number}, {made.file} by {made.who}"
    return "Those that count now" if now is not None and now.version == version else "Not in use now"


def title_of(mapping: FileMapping | None, words: Vocabulary, file: str) -> str:
    """What a file is called: Membership → Opportunity."""
    if mapping is None:
        return file
    return f"{mapping.kind.replace('_', ' ').capitalize()} → {words.object(mapping.object.name)}"


def _base(change: int | None) -> str:
    return "" if change is None else str(change)


def _latest(file: str) -> Change | None:
    with shell.parts().database.reading() as session:
        return mappings.latest(session, shell.workspace_id()).get(file)


def _text_of(file: str) -> str:
    files = shell.parts().tools.mappings
    return files.texts(g.workspace).get(file) or files.shipped.texts.get(file) or _NEW
