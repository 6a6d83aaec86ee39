"""What automations need of an approval on Whop: asked for only where one of them is wanted, or is on."""

from __future__ import annotations

from typing import Final, NamedTuple

from connector.core.automation import Automation
from connector.sources.whop import scopes
from connector.sources.whop.acting import CANCEL, MANAGE, READ
from connector.store import automations, crm_requests
from connector.store.connections import Connection
from connector.sync.act_endings import CRM
from connector.web import act_words, shell

CHECKOUT: Final = "checkout_links"
"""The page of checkout links, as what the approval is asked for; it reads plans and changes nothing."""

PLANS: Final = scopes.BY_KIND["plan"]


class Asked(NamedTuple):
    """One permission, and the automations that it is for."""

    name: str
    title: str
    used_by: str


def wanted(one: Connection | None, name: str) -> list[Asked]:
    """For the automations that are on for a company, and for the one of this name."""
    if one is None:
        return []
    found: dict[str, tuple[str, list[str]]] = {}
    for user, permission, title in _uses(one, name):
        found.setdefault(permission, (title, []))[1].append(user)
    return [Asked(name, title, ", ".join(dict.fromkeys(users))) for name, (title, users) in found.items()]


def _uses(one: Connection, name: str) -> list[tuple[str, str, str]]:
    """(automation, permission, its title)."""
    parts = shell.parts()
    with parts.database.reading() as session:
        known = automations.of_connection(session, one.workspace_id, one.id)
        asks = crm_requests.get(session, one.workspace_id)
    on = {each for each, switch in known.items() if switch.since} | {name}
    uses = [use for each in parts.acts.automations if each.name in on for use in _of(each)]
    if (asks and asks.since) or name == CRM.name:
        uses += [(CRM.title, each.name, each.title) for each in (CANCEL, MANAGE)]
    if name == CHECKOUT:
        uses.append(("Checkout links", PLANS, scopes.title_of(PLANS)))
    return uses


def _of(one: Automation) -> list[tuple[str, str, str]]:
    changing = [(one.title, each.name, each.title) for each in act_words.needs(one)]
    return [*changing, *((one.title, each, scopes.title_of(each)) for each in READ)]
