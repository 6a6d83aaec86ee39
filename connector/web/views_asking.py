"""What people may ask for in the CRM: switched on and off, and who may."""

from __future__ import annotations

import flask
from flask import Blueprint, g, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError
from connector.sync import asking
from connector.web import access, error_registry, shell

blueprint = access.protect(Blueprint("asking", __name__))


@blueprint.post("/automations/twenty")
def switch() -> ResponseReturnValue:
    """Have people in Twenty ask for something by a field, or not any more."""
    desk, on = shell.parts().asks, request.form.get("on") == "yes"
    admin_id = g.person.id if g.person.is_admin else None
    try:
        (asking.switch_on if on else asking.switch_off)(desk, g.workspace, admin_id)
    except ConnectorError as error:
        shell.tell(str(error), error_registry.todo(error), tone="bad")
        return flask.redirect(url_for("automations.listing"), 303)
    with shell.parts().database.transaction() as session:
        access.record(session, "crm_requests_on" if on else "crm_requests_off")
    if on:
        shell.tell("Whop actions are on", "Opportunities in Twenty have the field “Whop action” now.")
    else:
        shell.tell("Whop actions are off", "Nothing is taken up any more; the field stays in Twenty.")
    return flask.redirect(url_for("automations.listing"), 303)


@blueprint.post("/automations/twenty/who")
def let_ask() -> ResponseReturnValue:
    """Choose who may ask: whoever may edit the field, or only people."""
    only_people = request.form.get("who") == "people"
    asking.let_ask(shell.parts().asks, shell.workspace_id(), only_people=only_people)
    with shell.parts().database.transaction() as session:
        access.record(session, "crm_requests_who", who="people" if only_people else "anybody")
    told = (
        "What anything but a person chooses is refused."
        if only_people
        else "Whoever may edit the field may ask."
    )
    shell.tell("Who may ask is kept", told)
    return flask.redirect(url_for("automations.listing"), 303)
