"""Recipes on the mapping page: switched on or off after what that would do was seen, as any change."""

from __future__ import annotations

import flask
from flask import Blueprint, g, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, MappingFileError, RefusedError
from connector.sync import changing
from connector.web import access, error_registry, limits, shell
from connector.web.views_mapping import CHECK_LIMIT, by_person

blueprint = access.protect(Blueprint("recipes", __name__))


@blueprint.post("/mappings/recipes/<name>")
@limits.limiter.limit(CHECK_LIMIT, key_func=by_person)
def switch(name: str) -> ResponseReturnValue:
    """On to what switching it would do. Nothing is saved."""
    tools, on = shell.parts().tools, request.form.get("to") != "off"
    try:
        draft = changing.of_recipe(tools, g.workspace, tools.mappings.recipe(name), on=on)
        if draft.failed:
            raise RefusedError("A test in the file fails.", code="mapping_tests")
    except MappingFileError as error:
        shell.tell("That does not go with the other files", str(error), tone="bad")
        return flask.redirect(url_for("mapping.listing"), 303)
    except ConnectorError as error:
        known = error_registry.entry(error.code)
        shell.tell(known.title, f"{error} {known.todo}", tone="bad")
        return flask.redirect(url_for("mapping.listing"), 303)
    tools.mappings.keep(g.workspace.id, draft.after, tools.clock())
    there = url_for(
        "mapping_change.effects",
        file=draft.file,
        version=draft.after.version,
        how="recipe_on" if on else "recipe_off",
        base="" if draft.base is None else draft.base,
        recipe=name,
    )
    return flask.redirect(there, 303)
