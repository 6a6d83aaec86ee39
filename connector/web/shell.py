"""What every page stands in: filters, the navigation's facts, flashes, and pages for what went wrong."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, flash, g, render_template, request
from werkzeug.exceptions import HTTPException

from connector.bootstrap import Parts
from connector.errors import ConnectorError, OwnMappingError
from connector.store import eventbook, reviews
from connector.sync.mappings import Mapped
from connector.web import assets, error_registry, present
from connector.web.vocabulary import Vocabulary

_WORDS = {
    403: ("Not allowed", "This is not for your eyes, or not to be done now. Nothing was changed."),
    404: ("Nothing here", "There is no such page, or it is not one of this workspace."),
    405: ("Not this way", "This address is there, but not for what was asked. Nothing was changed."),
    413: ("Too much at once", "What was sent is larger than anything we take. Nothing was changed."),
    503: ("The database does not answer", "Nothing is lost. Load the page again in a moment."),
}
#: Pages that belong to another entry of the navigation than their own.
_WITHIN = dict.fromkeys(("connect", "plan", "disconnect", "hooks"), "connections")
_WITHIN |= dict.fromkeys(("mapping_change", "recipes"), "mapping")
_BROKEN = ("Something went wrong on our side", "It is in the log under the reference below. Nothing is lost.")


def install(app: Flask) -> None:
    """Filters, globals and static files."""
    assets.install(app)
    app.jinja_env.filters.update(
        iso=present.iso,
        utc=present.utc,
        number=present.number,
        duration=present.duration,
        roughly=present.roughly,
        todo=error_registry.todo,
    )
    app.jinja_env.globals["plural"] = present.plural
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_shell)


def parts() -> Parts:
    """Everything built."""
    found: Parts = current_app.extensions["parts"]
    return found


def workspace_id() -> str:
    """The workspace that every query of this request is about."""
    return str(g.workspace.id)


def mappings() -> Mapped:
    """What the workspace maps by."""
    return parts().tools.mappings.in_force(g.workspace)


def vocabulary() -> Vocabulary:
    """Names out of the workspace's mapping files, gathered once per request."""
    known: Vocabulary | None = g.get("vocabulary")
    if known is None:
        try:
            known = Vocabulary(mappings())
        except OwnMappingError:  # names are worth showing whatever else the files say
            known = Vocabulary(parts().tools.mappings.shipped)
        g.vocabulary = known
    return known


def tell(title: str, text: str = "", *, tone: str = "ok", link: str = "", label: str = "") -> None:
    """A message on the next page. It stays until the one after."""
    message: Any = {"title": title, "text": text, "link": link, "label": label}  # any JSON is kept as it is
    flash(message, tone)


def tell_error(error: ConnectorError, *, link: str = "", label: str = "") -> None:
    """An error on the next page, in the words of the registry."""
    known = error_registry.entry(error.code)
    tell(known.title, f"{known.meaning} {known.todo}", tone="bad", link=link, label=label)


def wants_page() -> bool:
    """Whether a person's browser asks; a script or a supervisor gets JSON."""
    return "text/html" in request.headers.get("Accept", "")


def error_page(code: int) -> tuple[str, int]:
    """The page for an HTTP error."""
    title, text = _WORDS.get(code, _BROKEN if code >= 500 else ("That did not work", "Nothing was changed."))
    page = render_template("pages/error.html", code=code, title=title, text=text)
    return page, code


def page_of(error: HTTPException) -> tuple[str, int]:
    """The page for a refusal."""
    return error_page(error.code or 500)


def _shell() -> dict[str, Any]:
    name = g.person.name if g.get("person") else ""
    initials = "".join(word[0] for word in name.split()[:2]).upper()
    return {
        "shell": {"initials": initials, "current": _current(), "to_decide": _to_decide, "parked": _parked}
    }


def _parked() -> int:
    """How many events wait for a person."""
    with parts().database.reading() as session:
        return eventbook.count_parked(session, workspace_id())


def _to_decide() -> int:
    """How many records wait for a person's decision."""
    with parts().database.reading() as session:
        return sum(reviews.waiting(session, workspace_id()).values())


def _current() -> str:
    """The page of the navigation that this one belongs to."""
    if request.blueprint == "pages":
        return request.endpoint or ""
    return f"{_WITHIN.get(request.blueprint or '', request.blueprint)}.listing"
