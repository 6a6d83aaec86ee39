"""Automations: what each does, switched on and off for a company, and the log of what they did."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.core.automation import Automation, record_of
from connector.core.records import SourceRecord
from connector.core.requests import LABELS
from connector.errors import ConnectorError
from connector.sources.whop.acting import CANCEL, MANAGE
from connector.store import acts, automations, connections, conversations, crm_requests
from connector.store.acts import STATES, Act, ActFilter
from connector.store.automations import Switch
from connector.store.connections import Connection
from connector.store.conversations import Conversation, ConversationFilter
from connector.store.db import Session
from connector.store.paging import Leaf
from connector.sync import act_alarm, switching
from connector.sync.act_endings import CRM, asker
from connector.web import access, act_words, error_registry, filters, present, shell, talk_words
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("automations", __name__))

_MOST_PLANS: Final = 500
_DAYS: Final = 7


@blueprint.get("/automations")
def listing() -> str:
    """Each automation for each company, and what they did."""
    parts, desk = shell.parts(), shell.workspace_id()
    state = filters.word("state")
    wanted = ActFilter(state if state in STATES else None, filters.word("connection") or None)
    with parts.database.reading() as session:
        known = [one for one in connections.of_workspace(session, desk) if one.status != "revoked"]
        switches = {one.id: automations.of_connection(session, desk, one.id) for one in known}
        leaf = acts.page(session, desk, wanted, filters.place())
        counts = acts.count(session, desk)
        asks = crm_requests.get(session, desk)
    return render_template(
        "pages/automations.html",
        known=known,
        automations=parts.acts.automations,
        switches=switches,
        counts=counts,
        asks=asks if asks and asks.since else None,
        only_people=bool(asks and asks.only_people),
        asked_trouble=error_registry.entry(asks.error["code"]) if asks and asks.error else None,
        choices=list(LABELS),
        permissions=(CANCEL, MANAGE),
        leaf=leaf,
        titles={one.id: present.company(one) for one in known},
        any_filter=filters.is_filtered("state", "connection"),
        **_words(),
    )


@blueprint.get("/connections/<id_>/automations/<name>")
def show(id_: str, name: str) -> str:
    """One automation for one company: what it does, what it needs, and its switch."""
    return _page(found_or_404(id_), _automation(name))


@blueprint.get("/connections/<id_>/automations/<name>/trial")
def trial(id_: str, name: str) -> str:
    """The same, with what it would have done lately. Nothing is changed."""
    one, automation = found_or_404(id_), _automation(name)
    ticked = frozenset(request.args.getlist("plan")[:_MOST_PLANS])
    plans = ticked if automation.chooses_plans and ticked else None
    try:
        tried = switching.dry_run(shell.parts().acts, one, name, plans, days=_DAYS)
    except ConnectorError as error:
        shell.tell_error(error)
        return _page(one, automation)
    return _page(one, automation, tried=tried)


@blueprint.post("/connections/<id_>/automations/<name>")
def switch_on(id_: str, name: str) -> ResponseReturnValue:
    """Have it act on what happens from now on."""
    one, automation, desk = found_or_404(id_), _automation(name), shell.parts().acts
    ticked = request.form.getlist("plan")[:_MOST_PLANS]
    try:
        plans = _titles(one, ticked) if automation.chooses_plans and ticked else {}
        switching.switch_on(desk, one, name, plans, act_words.asked(automation))
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one, name)
    _record("automation_on", one, automation, plans=len(plans))
    shell.tell(f"{automation.title} is on", "It acts on what happens from now on, and on nothing before.")
    return _back(one, name)


@blueprint.post("/connections/<id_>/automations/<name>/off")
def switch_off(id_: str, name: str) -> ResponseReturnValue:
    """Have it do nothing any more."""
    one, automation = found_or_404(id_), _automation(name)
    dropped = switching.switch_off(shell.parts().acts, one, name)
    _record("automation_off", one, automation)
    left = f" {present.plural(dropped, 'action')} that waited will not be done." if dropped else ""
    shell.tell(f"{automation.title} is off", f"Nothing is done on Whop any more.{left}")
    return _back(one, name)


@blueprint.get("/automations/acts/<int:act_id>")
def show_act(act_id: int) -> str:
    """What was done for one record, line by line."""
    one = _act(act_id)
    automation = shell.parts().acts.automation(one.automation)
    step = automation.step(one.step) if automation else None
    with shell.parts().database.reading() as session:
        company = connections.get(session, one.workspace_id, one.connection_id)
    return render_template(
        "pages/act.html",
        act=one,
        asker=asker(one) if one.kind == CRM.fact else None,
        record=record_of(one.source_id),
        company=present.company(company),
        by_hand=act_alarm.by_hand(one, step.verb if step else ""),
        error=error_registry.entry(one.error["code"]) if one.error else None,
        **_words(),
    )


@blueprint.post("/automations/acts/<int:act_id>/again")
def again(act_id: int) -> ResponseReturnValue:
    """Try one that failed again, now."""
    return _decide(
        act_id, switching.try_again, "act_again", "It is tried again", "Its log shows how it goes."
    )


@blueprint.post("/automations/acts/<int:act_id>/done")
def done(act_id: int) -> ResponseReturnValue:
    """Somebody did on Whop what one that failed was to do."""
    return _decide(act_id, switching.by_hand, "act_by_hand", "Noted", "It does not wait for anybody now.")


def _decide(act_id: int, decide: Any, what: str, title: str, text: str) -> ResponseReturnValue:
    one = _act(act_id)
    try:
        decide(shell.parts().acts, one, g.person.name)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show_act", act_id=act_id), 303)
    with shell.parts().database.transaction() as session:
        access.record(session, what, act=one.id, automation=one.automation)
    shell.tell(title, text)
    return flask.redirect(url_for(".show_act", act_id=act_id), 303)


# --- what the pages show


def _page(one: Connection, automation: Automation, tried: list[switching.Trial] | None = None) -> str:
    with shell.parts().database.reading() as session:
        known = automations.of_connection(session, one.workspace_id, one.id)
        leaf = _talks(session, one, automation)
        talks = talk_words.with_replies(session, one.workspace_id, leaf.items)
        talked = conversations.count(session, one.workspace_id, one.id, automation.name)
    switch = known.get(automation.name) or Switch(one.id, automation.name, one.workspace_id)
    plans, lacks, refused = _seen(one, automation)
    ticked = frozenset(request.args.getlist("plan")) or frozenset(switch.plans)
    return render_template(
        "pages/automation.html",
        one=one,
        title=present.company(one),
        automation=automation,
        switch=switch,
        trouble=refused,
        lacks=lacks,
        offered=_offered(plans, switch),
        ticked=ticked,
        tried=tried,
        days=_DAYS,
        leaf=leaf,
        talks=talks,
        talked=talked,
        **talk_words.words(),
        **_words(),
    )


def _talks(session: Session, one: Connection, automation: Automation) -> Leaf[Conversation]:
    """The conversations that it began, as far as they are asked for."""
    state = filters.word("state")
    wanted = ConversationFilter(one.id, automation.name, state if state in talk_words.STATES else None)
    return conversations.page(session, one.workspace_id, wanted, filters.place())


class _Seen(NamedTuple):
    """The plans that Whop shows, what the connection lacks (None: that could not be looked up), and what
    stood in the way of either."""

    plans: list[SourceRecord]
    lacks: tuple[str, ...] | None
    trouble: Any


def _seen(one: Connection, automation: Automation) -> _Seen:
    """Looked up each by itself: whoever may not read plans is to see which permission that is."""
    plans, lacks, trouble = list[SourceRecord](), None, None
    try:
        source = shell.parts().acts.open_acts(one)
        lacks = source.lacks(act_words.asked(automation))
        plans = list(source.plans_sold_once()) if automation.chooses_plans else []
    except ConnectorError as error:
        # What is lacking is said by name, and tells more than that something was refused.
        trouble = None if lacks else error_registry.entry(error.code)
    return _Seen(plans, lacks, trouble)


def _offered(plans: list[SourceRecord], switch: Switch) -> list[tuple[str, str]]:
    """Id and title of the plans to tick; one that is ticked and not there any more among them."""
    found = {plan.ref.id: _title(plan) for plan in plans}
    return list({**found, **{id_: title for id_, title in switch.plans.items() if id_ not in found}}.items())


def _title(plan: SourceRecord) -> str:
    product = (plan.fields.get("product") or {}).get("title") or ""
    own = plan.fields.get("title") or plan.fields.get("formatted_price") or plan.ref.id
    return f"{product}: {own}" if product else str(own)


def _titles(one: Connection, ticked: list[str]) -> dict[str, str]:
    """The ticked plans as Whop has them; one that it does not sell once is no plan of this company's."""
    sold = {plan.ref.id: _title(plan) for plan in shell.parts().acts.open_acts(one).plans_sold_once()}
    return {id_: sold[id_] for id_ in ticked if id_ in sold}


def _automation(name: str) -> Automation:
    found = shell.parts().acts.automation(name)
    if found is None:
        abort(404)
    return found


def _act(act_id: int) -> Act:
    if act_id > 2**62:
        abort(404)
    with shell.parts().database.reading() as session:
        found = acts.get(session, shell.workspace_id(), act_id)
    if found is None:
        abort(404)
    return found


def _words() -> dict[str, Any]:
    return {
        "states": act_words.STATES,
        "sentences": act_words.sentences,
        "retries": act_words.retries,
        "needs": act_words.needs,
        "named": _named,
        "here": filters.here,
        "args": filters.word,
    }


def _named(name: str) -> str:
    found = CRM if name == CRM.name else shell.parts().acts.automation(name)
    return found.title if found else name


def _record(what: str, one: Connection, automation: Automation, **about: Any) -> None:
    told = {"company": present.company(one), "connection": one.id, "automation": automation.name, **about}
    with shell.parts().database.transaction() as session:
        access.record(session, what, **told)


def _back(one: Connection, name: str) -> ResponseReturnValue:
    return flask.redirect(url_for(".show", id_=one.id, name=name), 303)
