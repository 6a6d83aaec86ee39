"""A change of a mapping file: what it would do, put in force, its history, and the way back."""

from __future__ import annotations

from typing import Any, Final, get_args

import flask
import structlog
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.core.outcomes import Outcome, as_json
from connector.errors import ConnectorError, MappingFileError, RefusedError
from connector.store import mappings, overview
from connector.store.runs import LogEntry
from connector.sync import changing, rehearsing, undoing
from connector.sync.changing import Draft, How
from connector.sync.rehearsing import Wanted
from connector.web import (
    access,
    error_registry,
    limits,
    mapping_effects,
    mapping_words,
    present,
    shell,
    views_mapping,
    views_runs,
)
from connector.web.crm_links import CrmLinks
from connector.web.views_mapping import CHECK_LIMIT, by_person, named, seen
from connector.web.vocabulary import Vocabulary

log = structlog.get_logger(__name__)

blueprint = access.protect(Blueprint("mapping_change", __name__))

_SAMPLES: Final = 5
_HOW: Final = get_args(How)


@blueprint.get("/mappings/<file>/effects/<version>")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def effects(file: str, version: str) -> ResponseReturnValue:
    """What is added in Twenty, which records change, and the button that puts it in force."""
    try:
        draft = _draft(file, version)
    except ConnectorError as error:
        return _back(error, file)
    companies = views_mapping.active()
    found = mapping_effects.look(draft, companies)
    words = Vocabulary(draft.after)
    mapping = draft.mapping or draft.former
    looked = found.looked.outcomes if found.looked else []
    changed = [one for one in looked if one.result.value in ("created", "updated", "failed")]
    return render_template(
        "pages/mapping_effects.html",
        file=file,
        version=version,
        how=_how(),
        base=request.args.get("base", ""),
        recipe=request.args.get("recipe", ""),
        title=views_mapping.title_of(mapping, shell.vocabulary() if draft.mapping is None else words, file),
        draft=draft,
        found=found,
        diffs=mapping_effects.diffs(draft),
        added=found.plan.changes if found.plan else (),
        conflicts=found.plan.conflicts if found.plan else (),
        asked=mapping_effects.asked(draft),
        stays=mapping_effects.stays(draft),
        samples=[_as_entry(number, one) for number, one in enumerate(changed[:_SAMPLES])],
        changed=len(changed),
        runs=_runs_of(version),
        companies=companies,
        crm=CrmLinks(g.workspace),
        name_of=present.name_of,
        error_of=error_registry.entry,
        words=words,
        **{**views_runs.run_words(), "outcomes": views_runs.WOULD_BE},
    )


@blueprint.post("/mappings/<file>/effects/<version>/all")
def look_at_all(file: str, version: str) -> ResponseReturnValue:
    """Have every record looked at in the background, and show that."""
    started: list[str] = []
    try:
        wanted = Wanted(kinds=_draft(file, version).kinds, version=version)
        why = f"What a change of {file} would do, for {g.person.name}"
        for one in views_mapping.active():
            words = {"why": why, "correlation_id": g.correlation_id}
            started.append(rehearsing.start(shell.parts().tools, one, wanted, **words))
            _record("preview_started", company=present.company(one), connection=one.id)
        if not started:
            raise RefusedError("No company is connected.", code="no_connection")
    except ConnectorError as error:
        return _back(error, file)
    shell.tell(
        "Every record is looked at",
        "Nothing is written. Come back to put the change in force.",
        link=url_for(".effects", file=file, version=version, how=_how(), **_carried()),
        label="Back to the change",
    )
    if len(started) == 1:
        return flask.redirect(url_for("runs.show", run_id=started[0]), 303)
    return flask.redirect(url_for("runs.listing", type="preview", idle="show"), 303)


@blueprint.post("/mappings/<file>/effects/<version>")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def apply(file: str, version: str) -> ResponseReturnValue:
    """Put the change in force."""
    how: Any = _how()
    try:
        draft = _draft(file, version)
        changing.apply(
            shell.parts().tools,
            g.workspace,
            draft,
            who=g.person.name,
            how=how,
            admin_id=g.person.admin_id,
            tell=lambda session, number: access.record(
                session, "mapping_changed", file=file, how=how, number=number, version=version
            ),
        )
    except ConnectorError as error:
        return _back(error, file)
    told = "Its records are read anew now; a sync shows how far that is." if draft.kinds else ""
    shell.tell("The change counts from now on", told, link=url_for("runs.listing"), label="Sync runs")
    return flask.redirect(url_for("mapping.listing"), 303)


@blueprint.get("/mappings/set/<version>")
def one_set(version: str) -> str:
    """The files that a sync went by, as they were then."""
    with shell.parts().database.reading() as session:
        texts = mappings.kept_set(session, shell.workspace_id(), version[:64])
    if texts is None:
        abort(404)
    found = {name: mapping_words.marked(text, name, ()) for name, text in sorted(texts.items())}
    now, _ = views_mapping.in_force()
    counts = now is not None and now.version == version
    name = views_mapping.version_name(version)
    return render_template("pages/mapping_set.html", version=version, name=name, files=found, counts=counts)


@blueprint.get("/mappings/<file>/history")
def history(file: str) -> str:
    """Every version of a file, with what each changed."""
    with shell.parts().database.reading() as session:
        found = mappings.history(session, shell.workspace_id(), named(file))
    shipped = shell.parts().tools.mappings.shipped.texts.get(file, "")
    if not found and not shipped:
        abort(404)

    of = {one.number: one for one in found}

    def text(number: int | None) -> str:
        """The file's text as of a version."""
        if number is None or of[number].state == "shipped":
            return shipped
        return of[number].text or ""

    diffs = [
        mapping_words.diff(text(one.previous), text(one.number)) if one.previous in {None, *of} else None
        for one in found
    ]
    return render_template(
        "pages/mapping_history.html",
        file=file,
        changes=found,
        diffs=diffs,
        shipped=bool(shipped),
        kept=shell.parts().janitor.keeping.mappings,
    )


@blueprint.post("/mappings/<file>/revert")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def revert(file: str) -> ResponseReturnValue:
    """Go back to an earlier version or the shipped file, or do without it: first, what that would do."""
    to, tools = request.form.get("to", ""), shell.parts().tools
    try:
        text = changing.earlier(tools, g.workspace.id, named(file), to)
        draft = changing.drafted(tools, g.workspace, file, text)
        if draft.failed:
            raise RefusedError("A test in the file fails.", code="mapping_tests")
    except MappingFileError as error:
        shell.tell("That does not go with the other files", str(error), tone="bad")
        return flask.redirect(url_for(".history", file=file), 303)
    except ConnectorError as error:
        return _back(error, file)
    tools.mappings.keep(g.workspace.id, draft.after, tools.clock())
    how = {"shipped": "shipped", "off": "removed"}.get(to, "reverted")
    base = "" if draft.base is None else str(draft.base)
    there = url_for(".effects", file=file, version=draft.after.version, how=how, base=base)
    return flask.redirect(there, 303)


def _draft(file: str, version: str) -> Draft:
    tools, recipe = shell.parts().tools, request.values.get("recipe", "")
    beside = tools.mappings.recipe(recipe).texts if recipe else ()
    return changing.known(tools, g.workspace, named(file), version, base=seen(), beside=tuple(beside))


def _carried() -> dict[str, Any]:
    """What a form hands on, so that the change is found again."""
    return {name: value for name in ("base", "recipe") if (value := request.form.get(name, ""))}


def _runs_of(version: str) -> list[Any]:
    with shell.parts().database.reading() as session:
        found = overview.previews_by(session, shell.workspace_id(), version)
    return [run for run in found if not undoing.is_of_run(run)]


def _as_entry(number: int, one: Outcome) -> LogEntry:
    """An outcome that is not in the log, as the pages show those that are."""
    return LogEntry(
        id=number,
        run=0,
        kind=one.ref.kind,
        source_id=one.ref.id,
        object=one.object,
        crm_id=one.crm_id,
        title=one.title,
        result=one.result.value,
        reason=one.reason,
        error_code=one.error.code if one.error else None,
        error=as_json(one.error),
        warnings=list(one.warnings) or None,
        before=one.before,
        after=dict(one.after) if one.after else None,
        drift=list(one.drift) or None,
        created_at=shell.parts().tools.clock(),
    )


def _how() -> str:
    how = request.values.get("how", "")
    return how if how in _HOW else "edited"


def _back(error: ConnectorError, file: str) -> ResponseReturnValue:
    """To the file, with what happened."""
    log.info("a change of the mapping was not made", code=error.code)
    known = error_registry.entry(error.code)
    shell.tell(known.title, f"{error} {known.todo}", tone="bad")
    return flask.redirect(url_for("mapping.show", file=file), 303)


def _record(what: str, **about: Any) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, **about)
