"""No workspace reads or changes what is another's: every function of the store is named here, by force."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest

from connector import store
from connector.core.alerting import Condition, Kind
from connector.core.conversations import Post
from connector.core.outcomes import Result
from connector.core.plan import Choice, Decision
from connector.core.reconciling import Cause, Difference
from connector.core.records import Ref
from connector.core.sales import Sale
from connector.core.undoing import Past
from connector.errors import ConnectorError, RecordError
from connector.store import (
    acts,
    admins,
    alerts,
    audit,
    automations,
    checkpoints,
    connections,
    conversations,
    crm_grants,
    crm_requests,
    differences,
    drains,
    endings,
    eventbook,
    grants,
    histories,
    holds,
    hooks,
    inbox,
    intents,
    links,
    logbook,
    mapping_passes,
    mappings,
    misses,
    notes,
    overview,
    pasts,
    pending,
    previews,
    questions,
    reconcile_plans,
    reconciliations,
    registrations,
    relations,
    removals,
    reviews,
    runs,
    sales,
    schedules,
    sharing,
    silence,
    workspaces,
)
from connector.store.acts import ActFilter, NewAct
from connector.store.alerts import NewMessage
from connector.store.audit import NewEvent
from connector.store.checkpoints import Covered
from connector.store.conversations import Conversation, ConversationFilter, NewConversation
from connector.store.crm_grants import CrmGrant
from connector.store.db import Database, Session
from connector.store.differences import DifferenceFilter
from connector.store.grants import Grant, Renewed
from connector.store.holds import Hold
from connector.store.hooks import HookSecret, Refused
from connector.store.links import Claimed
from connector.store.mappings import NewChange
from connector.store.misses import Miss
from connector.store.models import admin, metadata
from connector.store.notes import NewNote
from connector.store.paging import NEWEST
from connector.store.pending import Visitor, digest
from connector.store.reconcile_plans import Plan
from connector.store.reconciliations import NewReconciliation
from connector.store.reviews import Question

from .builders import (
    MINUTE,
    NOW,
    Home,
    a_connection,
    a_home,
    a_kept_row,
    a_leased_run,
    a_new_run,
    a_pending,
    a_workspace,
    add_event,
    an_event,
    an_outcome,
    claim,
)

REF, HELD = Ref("whop", "member", "mber_1"), Ref("whop", "member", "mber_2")
WAITS, DECIDED = Ref("whop", "member", "waits-of-a"), Ref("whop", "member", "decided-of-a")
CHILD = Ref("whop", "membership", "child-of-a")
OWN_FILE = NewChange("member.yaml", "own", "of-a", "v-of-a", "of-a", "edited", None)
ACME = {"company_title": "of-a", "status": "expired"}


@dataclass(frozen=True, slots=True)
class World:
    """What workspace A has. Every text of it that an answer could show contains ``of-a``."""

    home: Home
    run_number: int
    link_id: int
    held_id: int
    event_row: int
    waiting: int
    decided: int
    intent: int
    earlier: runs.Run
    untold_id: int


@dataclass(frozen=True, slots=True)
class Both:
    database: Database
    a: World
    b: str


GONE = {"state": "gone", "memory": {}, "crm_updated_at": None}


def the_act(session: Session, workspace_id: str, number: int) -> acts.Act:
    """A's act of this number, as somebody of the workspace would name it."""
    found = acts.get(session, "workspace-of-a", number)
    assert found is not None
    return replace(found, workspace_id=workspace_id)


def add_acts(session: Session) -> None:
    """One that waits, one that a worker is at, and one that failed."""
    ids = ("workspace-of-a", "connection-of-a")
    event = inbox.pending(session, *ids, NOW, 1)[0].id
    automations.switch(session, *ids, "of-a", since=NOW, plans={"plan": "of-a"})
    for name in ("waits", "held", "failed"):
        new = NewAct(*ids, "of-a", 0, "payment", f"{name}-of-a", event, "2026", {}, NOW)
        acts.add(session, [new], NOW)
    for place in ("1", "2"):
        asked = {"opportunity": "of-a", "asked": "of-a"}
        new = NewAct(*ids, "crm", 0, "opportunity", f"of-a@{place}", None, "2026", asked, NOW)
        acts.add(session, [new], NOW)
    values = {"since": NOW, "hook_id": "hook-of-a", "secret_sealed": "sealed-of-a"}
    crm_requests.keep(session, ids[0], due_at=NOW, **values)
    deal = {"workspace_id": ids[0], "connection_id": ids[1], "source": "whop", "kind": "membership"}
    deal |= {"source_id": "deal-of-a", "object": "opportunity", "crm_id": "crm-deal-of-a"}
    session.execute(metadata.tables["link"].insert().values(deal))
    for number, state in ((2, "waiting"), (3, "failed")):
        taken = acts.claim(
            session, the_act(session, ids[0], number), owner="worker-1", now=NOW, until=NOW + MINUTE
        )
        assert taken is not None
        acts.keep(session, taken, {"state": state}, owner="worker-1")


def the_talk(session: Session, workspace_id: str, number: int) -> Conversation:
    """A's conversation of this number, as somebody of the workspace would name it."""
    found = conversations.get(session, "workspace-of-a", number)
    assert found is not None
    return replace(found, workspace_id=workspace_id)


POST = Post("post-of-a", "user-of-a", "of-a", "of-a", "2026-11-20T12:00:00.000Z")


def add_talks(session: Session) -> None:
    """One that is to be looked at, with a reply, and one in the same chat that a worker is at."""
    for name in ("waits", "held"):
        ids = ("workspace-of-a", "connection-of-a", "of-a", f"{name}-of-a", "mber-of-a", "user-of-a")
        conversations.begin(session, NewConversation(*ids, "chat-of-a", "of-a", NOW, NOW), NOW)
    conversations.add(session, the_talk(session, "workspace-of-a", 1), [POST], "pending", NOW)
    held = the_talk(session, "workspace-of-a", 2)
    conversations.claim(session, held, owner="worker-1", now=NOW, until=NOW + MINUTE)


def members_of(workspace_id: str, a: World, connection_id: str = "") -> Claimed:
    return Claimed(workspace_id, connection_id or a.home.connection_id, "whop", "member", "person")


# Each asks for A's rows by A's ids, in the name of the workspace it is given.
ASKING: dict[str, Callable[[Session, str, World], Any]] = {
    "workspaces.get": lambda s, w, _: workspaces.get(s, w),
    "workspaces.move": lambda s, w, _: workspaces.move(s, w, "https://new.example.com"),
    "workspaces.remember_batch": lambda s, w, _: workspaces.remember_batch(s, w, 60, NOW),
    "workspaces.give_key": lambda s, w, _: workspaces.give_key(s, w, "stolen", None),
    "workspaces.remove_key": lambda s, w, _: workspaces.remove_key(s, w),
    "workspaces.refuse": lambda s, w, _: workspaces.refuse(s, w, {"code": "x"}),
    "workspaces.accept": lambda s, w, _: workspaces.accept(s, w),
    "previews.told": lambda s, w, a: previews.told(s, w, a.run_number, "member", ["mber-of-a"]),
    "mapping_passes.add": lambda s, w, a: mapping_passes.add(s, w, a.home.connection_id, ["member"], 2, "x"),
    "mapping_passes.of_workspace": lambda s, w, _: mapping_passes.of_workspace(s, w),
    "mapping_passes.take": lambda s, w, a: mapping_passes.take(s, w, a.home.connection_id, 1),
    "mappings.add": lambda s, w, _: mappings.add(s, w, replace(OWN_FILE, base=1), NOW),
    "mappings.own": lambda s, w, _: mappings.own(s, w, 1),
    "mappings.latest": lambda s, w, _: mappings.latest(s, w),
    "mappings.history": lambda s, w, _: mappings.history(s, w, "member.yaml"),
    "mappings.get": lambda s, w, _: mappings.get(s, w, 1),
    "mappings.keep_set": lambda s, w, _: mappings.keep_set(s, w, "v-new", {"member.yaml": "x"}, NOW),
    "mappings.kept_set": lambda s, w, _: mappings.kept_set(s, w, "v-of-a"),
    "mappings.is_kept": lambda s, w, _: mappings.is_kept(s, w, "v-of-a", NOW),
    "mappings.which_made": lambda s, w, _: mappings.which_made(s, w, "v-of-a"),
    "admins.vouched": lambda s, w, _: admins.vouched(s, w, "user-1", name="x", email="", now=NOW),
    "admins.get": lambda s, w, _: admins.get(s, w, "admin-of-a"),
    "admins.of_workspace": lambda s, w, _: admins.of_workspace(s, w),
    "admins.remove": lambda s, w, _: admins.remove(s, w, "admin-of-a", NOW),
    "crm_grants.newest": lambda s, w, _: crm_grants.newest(s, w, prefer="admin-of-a"),
    "crm_grants.get": lambda s, w, _: crm_grants.get(s, w, "admin-of-a"),
    "crm_grants.of_workspace": lambda s, w, _: crm_grants.of_workspace(s, w),
    "crm_grants.claim": lambda s, w, _: crm_grants.claim(
        s, a_crm_grant(w), owner="x", now=NOW, until=NOW + MINUTE
    ),
    "crm_grants.release": lambda s, w, _: crm_grants.release(s, a_crm_grant(w), owner="keeper-1"),
    "crm_grants.renew": lambda s, w, _: crm_grants.renew(
        s, a_crm_grant(w), access="stolen", refresh="stolen", expires_at=NOW
    ),
    "crm_grants.end": lambda s, w, _: crm_grants.end(s, a_crm_grant(w), NOW),
    "crm_grants.remove": lambda s, w, _: crm_grants.remove(s, w, "admin-of-a"),
    "runs.resume_all": lambda s, w, _: runs.resume_all(s, w, NOW),
    "workspaces.remember_crm": lambda s, w, _: workspaces.remember_crm(s, w, schema_version=9),
    "connections.add_or_revive": lambda s, w, _: connections.add_or_revive(s, a_connection(w)),
    "connections.known_id": lambda s, w, _: connections.known_id(s, w, "biz_1"),
    "connections.keep_credential": lambda s, w, a: connections.keep_credential(
        s, w, a.home.connection_id, secret_sealed="stolen"
    ),
    "connections.mark": lambda s, w, a: connections.mark(s, w, a.home.connection_id, "revoked"),
    "connections.come_back": lambda s, w, a: connections.come_back(s, w, a.home.connection_id, None),
    "connections.set_paused": lambda s, w, a: connections.set_paused(s, w, a.home.connection_id, paused=True),
    "connections.disconnect": lambda s, w, a: connections.disconnect(s, w, a.home.connection_id),
    "connections.touch_synced": lambda s, w, a: connections.touch_synced(s, w, a.home.connection_id, NOW),
    "connections.get": lambda s, w, a: connections.get(s, w, a.home.connection_id),
    "connections.of_workspace": lambda s, w, _: connections.of_workspace(s, w),
    "links.find": lambda s, w, _: links.find(s, w, "person", [REF]),
    "links.claim": lambda s, w, a: links.claim(
        s,
        Claimed(w, a.home.connection_id, "whop", "member", "person"),
        [REF],
        owner="x",
        now=NOW,
        until=NOW + MINUTE,
    ),
    "links.memories": lambda s, w, a: links.memories(s, w, [a.link_id]),
    "links.see": lambda s, w, a: links.see(s, w, [a.link_id], run=999),
    "links.move_on": lambda s, w, a: links.move_on(s, w, {a.link_id: "2030-01-01T00:00:00.000Z"}),
    "links.release": lambda s, w, _: links.release(s, w, "drain-1"),
    "intents.of_run": lambda s, w, a: intents.of_run(s, w, a.run_number),
    "intents.forget": lambda s, w, a: intents.forget(s, w, [a.intent]),
    "intents.forget_run": lambda s, w, a: intents.forget_run(s, w, a.run_number),
    "holds.lefts": lambda s, w, a: holds.lefts(s, of_members(w, a), ["mber_1"]),
    "holds.settle": lambda s, w, a: holds.settle(
        s, w, "drain-1", [{"of_link": a.held_id, "held_run": a.run_number}]
    ),
    "holds.page": lambda s, w, _: holds.page(s, w),
    "holds.count": lambda s, w, _: holds.count(s, w),
    "holds.of_ids": lambda s, w, _: holds.of_ids(s, w, ["prod-of-a"]),
    "holds.let_go": lambda s, w, a: holds.let_go(s, w, [Hold(a.untold_id, "", "", "", "", "", 0)]),
    "pasts.of_run": lambda s, w, a: pasts.of_run(s, w, a.run_number, ("whop", "member", "person"), None, 10)[
        0
    ],
    "pasts.later": lambda s, w, a: pasts.later(s, w, a.earlier, [PAST]),
    "pasts.undos": lambda s, w, a: list(pasts.undos(s, w, "undone-connection")),
    "runs.numbered": lambda s, w, a: runs.numbered(s, w, a.run_number),
    "logbook.reasons": lambda s, w, a: logbook.reasons(s, w, a.run_number),
    "histories.known": lambda s, w, _: histories.known(s, w, "member", "mber_1"),
    "histories.entries": lambda s, w, _: histories.entries(s, w, "member", "mber-of-a"),
    "histories.runs_of": lambda s, w, a: histories.runs_of(s, w, {a.run_number}),
    "links.doubt": lambda s, w, _: links.doubt(s, w, "person"),
    "runs.get": lambda s, w, _: runs.get(s, w, "run-of-a"),
    "runs.pause_idle": lambda s, w, _: runs.pause_idle(s, w, "idle-connection"),
    "runs.resume_one": lambda s, w, _: runs.resume_one(s, w, "paused-run-of-a", NOW),
    "runs.resume": lambda s, w, _: runs.resume(s, w, "paused-connection", NOW),
    "runs.cancel": lambda s, w, a: runs.cancel(s, w, a.home.connection_id, NOW),
    "logbook.refs_to_retry": lambda s, w, a: logbook.refs_to_retry(s, w, a.run_number, (), None),
    "runs.of_workspace": lambda s, w, _: runs.of_workspace(s, w),
    "runs.entries": lambda s, w, a: runs.entries(s, w, a.run_number),
    "logbook.entry_page": lambda s, w, a: logbook.entry_page(
        s, w, logbook.EntryFilter(run=a.run_number, text="mber-of-a")
    ),
    "logbook.entries_of": lambda s, w, a: logbook.entries_of(s, w, a.run_number, range(100)),
    "logbook.written_for": lambda s, w, a: logbook.written_for(
        s, w, a.run_number, ["mber-of-a", "mem-of-a"], (NOW - MINUTE, NOW + 9 * MINUTE)
    ),
    "logbook.causes": lambda s, w, a: logbook.causes(s, w, a.run_number),
    "overview.run_page": lambda s, w, _: overview.run_page(s, w, overview.RunFilter()),
    "overview.previews_by": lambda s, w, _: overview.previews_by(s, w, "v-of-a"),
    "overview.idle_runs": lambda s, w, _: overview.idle_runs(s, w),
    "overview.active_runs": lambda s, w, _: overview.active_runs(s, w),
    "overview.last_complete": lambda s, w, _: overview.last_complete(s, w, "ended-connection"),
    "overview.run_ids": lambda s, w, a: overview.run_ids(s, w, [a.run_number]),
    "overview.health": lambda s, w, _: overview.health(s, w),
    "inbox.pending": lambda s, w, a: inbox.pending(s, w, a.home.connection_id, NOW, 10),
    "audit.shown": lambda s, w, _: audit.shown(s, w, "nobody"),
    "pending.use": lambda s, w, _: pending.use(s, w, VISITOR, "state", NOW),
    "pending.hold": lambda s, w, _: pending.hold(s, w, "held-by-somebody", "sealed again", {}),
    "pending.held": lambda s, w, _: pending.held(s, w, VISITOR, "held-by-somebody", NOW),
    "pending.settle": lambda s, w, _: pending.settle(s, w, VISITOR, "held-by-somebody", NOW),
    "grants.claim": lambda s, w, _: grants.claim(s, granted(w), owner="x", now=NOW, until=NOW + MINUTE),
    "grants.release": lambda s, w, _: grants.release(s, granted(w), owner="keeper-1"),
    "grants.renew": lambda s, w, _: grants.renew(s, granted(w), Renewed("stolen", "stolen", NOW)),
    "grants.expire": lambda s, w, _: grants.expire(s, granted(w), code="whop_grant", now=NOW),
    "connections.mark_sales_read": lambda s, w, a: connections.mark_sales_read(
        s, w, a.home.connection_id, NOW + MINUTE
    ),
    "sales.keep": lambda s, w, a: sales.keep(s, w, a.home.connection_id, [PAID]),
    "sales.paid": lambda s, w, a: sales.paid(s, w, a.home.connection_id, ["mem-of-a"]),
    "sales.latest": lambda s, w, a: sales.latest(s, w, a.home.connection_id, ["pay-of-a"]),
    "connections.set_notes": lambda s, w, a: connections.set_notes(s, w, a.home.connection_id, NOW),
    "notes.begin": lambda s, w, a: sorted(notes.begin(s, w, a.home.connection_id, [LEFT], NOW)),
    "notes.find": lambda s, w, _: notes.find(s, w, [LEFT.key]),
    "notes.of_event": lambda s, w, a: notes.of_event(s, w, a.event_row, "pay-of-a"),
    "notes.left": lambda s, w, _: notes.left(s, w, 1, {"note-of-a": None}),
    "notes.of_run": lambda s, w, a: notes.of_run(s, w, a.run_number, None, 9),
    "notes.undone": lambda s, w, _: notes.undone(s, w, ["note-of-a"]),
    "notes.done": lambda s, w, _: notes.done(s, w, ["note-of-a"]),
    "sales.of_record": lambda s, w, _: sales.of_record(s, w, "payment", "pay-of-a"),
    "sales.memberships_of": lambda s, w, a: sales.memberships_of(s, w, a.home.connection_id, ["pay-of-a"]),
    "hooks.retire_others": lambda s, w, a: hooks.retire_others(
        s, w, a.home.connection_id, "another", at=NOW + MINUTE
    ),
    "hooks.retire": lambda s, w, a: hooks.retire(s, w, a.home.connection_id, "secret-of-a", at=NOW),
    "hooks.drop_secret": lambda s, w, a: hooks.drop_secret(s, w, a.home.connection_id, "secret-of-a"),
    "hooks.secrets": lambda s, w, a: hooks.secrets(s, w, a.home.connection_id),
    "hooks.refusals": lambda s, w, a: hooks.refusals(s, w, a.home.connection_id, NOW - MINUTE * 60),
    "eventbook.event_page": lambda s, w, _: eventbook.event_page(s, w, eventbook.EventFilter()),
    "eventbook.get": lambda s, w, a: eventbook.get(s, w, a.event_row),
    "eventbook.named": lambda s, w, a: eventbook.named(s, w, [a.event_row]),
    "eventbook.parked_ids": lambda s, w, _: len(eventbook.parked_ids(s, w)),
    "eventbook.types": lambda s, w, _: eventbook.types(s, w),
    "eventbook.flow": lambda s, w, a: eventbook.flow(s, w, a.home.connection_id).waiting,
    "eventbook.count_parked": lambda s, w, _: eventbook.count_parked(s, w),
    "eventbook.durations": lambda s, w, a: len(eventbook.durations(s, w, a.home.connection_id)),
    "eventbook.taken": lambda s, w, a: eventbook.taken(s, w, a.home.connection_id, NOW - MINUTE),
    "silence.untold": lambda s, w, a: silence.untold(s, w, "ended-connection", NOW - MINUTE * 60 * 24).count,
    "inbox.settle": lambda s, w, a: inbox.settle(s, w, [a.event_row], "done", now=NOW),
    "inbox.put_off": lambda s, w, a: inbox.put_off(s, w, [a.event_row], NOW + MINUTE),
    "inbox.fail": lambda s, w, a: inbox.fail(s, w, a.event_row, {}, due_at=None),
    "inbox.mark_heard": lambda s, w, a: inbox.mark_heard(s, w, [a.event_row]),
    "inbox.replay": lambda s, w, a: inbox.replay(s, w, [a.event_row], NOW + MINUTE, quiet=True),
    "drains.lease": lambda s, w, a: drains.lease(s, w, "granted-connection", **AT_ONCE),
    "drains.get": lambda s, w, a: drains.get(s, w, a.home.connection_id),
    "drains.renew": lambda s, w, a: drains.renew(s, w, a.home.connection_id, owner="drain-1", until=NOW),
    "drains.release": lambda s, w, a: drains.release(
        s, w, a.home.connection_id, owner="drain-1", due_at=NOW, tries=3
    ),
    "registrations.lease": lambda s, w, a: registrations.lease(s, w, "granted-connection", **AT_ONCE),
    "registrations.get": lambda s, w, a: registrations.get(s, w, a.home.connection_id),
    "registrations.keep": lambda s, w, a: registrations.keep(
        s, w, a.home.connection_id, owner="hooks-1", values={"failures": 7}
    ),
    "registrations.release": lambda s, w, a: registrations.release(
        s, w, a.home.connection_id, owner="hooks-1", now=NOW, due_at=NOW, error=None
    ),
    "registrations.forget": lambda s, w, a: registrations.forget(s, w, a.home.connection_id),
    "misses.arrived": lambda s, w, a: len(misses.arrived(s, w, a.home.connection_id, ["parked"])),
    "misses.mark_recovered": lambda s, w, a: misses.mark_recovered(s, w, a.home.connection_id, NOW),
    "misses.wanted": lambda s, w, a: misses.wanted(s, w, a.home.connection_id, most_asked=9),
    "misses.count_asked": lambda s, w, a: misses.count_asked(s, w, a.home.connection_id, ["miss-of-a"]),
    "misses.prune": lambda s, w, a: misses.prune(s, w, a.home.connection_id, NOW + MINUTE),
    "misses.count": lambda s, w, a: misses.count(s, w, a.home.connection_id, healed=None).found,
    "reviews.find": lambda s, w, a: reviews.find(s, w, "person", [DECIDED]),
    "reviews.ask": lambda s, w, a: reviews.ask(s, of_members(w, a), [a_question(WAITS, "again")], NOW),
    "reviews.settle": lambda s, w, a: reviews.settle(s, w, [a.decided], carried_out=True),
    "reviews.decide": lambda s, w, a: reviews.decide(
        s, w, a.waiting, Decision(Choice.IGNORE), version=a_question(WAITS).version, who="x", now=NOW
    ),
    "reviews.take_back": lambda s, w, a: reviews.take_back(s, w, a.decided, now=NOW),
    "reviews.get": lambda s, w, a: reviews.get(s, w, a.waiting),
    "reviews.page": lambda s, w, _: reviews.page(s, w, ("waiting", "decided")),
    "reviews.waiting": lambda s, w, _: reviews.waiting(s, w),
    "reviews.due": lambda s, w, a: reviews.due(s, w, a.home.connection_id),
    "reviews.started": lambda s, w, a: reviews.started(s, w, [a.decided], NOW),
    "relations.keep": lambda s, w, a: relations.keep(s, of_members(w, a), [CHILD], ()),
    "relations.any_of": lambda s, w, _: relations.any_of(s, w),
    "relations.forget": lambda s, w, _: relations.forget(s, w, [CHILD]),
    "relations.children": lambda s, w, _: relations.children(s, w, [REF]),
    "relations.ripe": lambda s, w, a: relations.ripe(s, w, a.home.connection_id),
    "sharing.shares": lambda s, w, _: sharing.shares(s, w, "person", ["crm-of-a"]),
    "sharing.pointing": lambda s, w, _: list(sharing.pointing(s, w, "person", "company", [77])),
    "sharing.written_by": lambda s, w, _: sharing.written_by(s, w, "person", ["crm-of-a"], 7),
    "sharing.distrust": lambda s, w, _: sharing.distrust(s, w, "person", ["crm-of-a"]),
    "sharing.hand_over": lambda s, w, a: sharing.hand_over(s, w, a.home.connection_id),
    "removals.after": lambda s, w, a: removals.after(s, members_of(w, a), 0, 10),
    "removals.ids": lambda s, w, a: list(removals.ids(s, members_of(w, a))),
    "removals.shared": lambda s, w, a: removals.shared(s, members_of(w, a, "another"), ["crm-of-a"]),
    "removals.settle": lambda s, w, a: removals.settle(s, w, "drain-1", [{"of_link": a.held_id, **GONE}]),
    "alerts.settings": lambda s, w, _: alerts.settings(s, w).recipients,
    "alerts.keep_settings": lambda s, w, _: alerts.keep_settings(s, w, recipients=["x"]),
    "alerts.open_incidents": lambda s, w, _: alerts.open_incidents(s, w),
    "alerts.open_": lambda s, w, _: alerts.open_(s, w, [WRONG._replace(subject="new")], NOW),
    "alerts.see": lambda s, w, _: alerts.see(s, w, [WRONG.key], NOW + MINUTE),
    "alerts.clear": lambda s, w, _: len(alerts.clear(s, w, [WRONG.key], NOW)),
    "alerts.add": lambda s, w, _: alerts.add(s, w, [NewMessage(1, "cleared", "email", "x", "x")], NOW),
    "alerts.told": lambda s, w, _: alerts.told(s, w, [1]),
    "alerts.told_of": lambda s, w, _: len(alerts.told_of(s, w, [1])),
    "alerts.drop": lambda s, w, _: alerts.drop(s, w, [1]),
    "alerts.claim": lambda s, w, _: alerts.claim(
        s, replace(alerts.due(s, NOW)[0], workspace_id=w), NOW + MINUTE
    ),
    "alerts.settle": lambda s, w, _: alerts.settle(s, w, 1, state="failed"),
    "alerts.page": lambda s, w, _: alerts.page(s, w).items,
    "alerts.prune": lambda s, w, _: alerts.prune(s, w, NOW + MINUTE),
    "automations.of_connection": lambda s, w, a: automations.of_connection(s, w, a.home.connection_id),
    "automations.switch": lambda s, w, a: automations.switch(
        s, w, a.home.connection_id, "of-a", since=None, plans={}
    ),
    "acts.asked_at": lambda s, w, _: repr(acts.asked_at(s, the_act(s, w, 5), "of-a") and "asked-of-a"),
    "conversations.claim": lambda s, w, _: conversations.claim(
        s, the_talk(s, w, 1), owner="x", now=NOW, until=NOW + MINUTE
    ),
    "conversations.keep": lambda s, w, _: conversations.keep(
        s, the_talk(s, w, 2), {"since": "x"}, owner="worker-1"
    ),
    "conversations.let_go": lambda s, w, _: conversations.let_go(
        s, the_talk(s, w, 2), None, {}, owner="worker-1"
    ),
    "conversations.any_on": lambda s, w, a: int(conversations.any_on(s, w, a.home.connection_id)),
    "conversations.heard": lambda s, w, a: conversations.heard(
        s, w, a.home.connection_id, NOW + MINUTE, channels=["chat-of-a"]
    ),
    "conversations.beside": lambda s, w, _: conversations.beside(s, the_talk(s, w, 1)),
    "conversations.known": lambda s, w, a: conversations.known(s, w, a.home.connection_id, ["post-of-a"]),
    "conversations.replies": lambda s, w, _: conversations.replies(s, w, [1]),
    "conversations.unnoted": lambda s, w, _: conversations.unnoted(s, w, 1),
    "conversations.noted": lambda s, w, _: conversations.noted(s, w, [1]),
    "conversations.get": lambda s, w, _: conversations.get(s, w, 1),
    "conversations.of_record": lambda s, w, _: conversations.of_record(s, w, "member", "mber-of-a"),
    "conversations.page": lambda s, w, _: conversations.page(s, w, ConversationFilter()).items,
    "conversations.count": lambda s, w, a: sum(
        conversations.count(s, w, a.home.connection_id, "of-a").values()
    ),
    "crm_requests.get": lambda s, w, _: crm_requests.get(s, w),
    "crm_requests.keep": lambda s, w, _: crm_requests.keep(s, w, due_at=NOW, since=None),
    "crm_requests.let_ask": lambda s, w, _: crm_requests.let_ask(s, w, NOW, only_people=True),
    "crm_requests.heard": lambda s, w, _: crm_requests.heard(s, w, NOW - MINUTE),
    "crm_requests.claim": lambda s, w, _: crm_requests.claim(
        s, replace(crm_requests.due(s, NOW)[0], workspace_id=w), NOW + MINUTE, NOW
    ),
    "crm_requests.memberships": lambda s, w, _: crm_requests.memberships(
        s, w, "opportunity", ["crm-deal-of-a"]
    ),
    "acts.claim": lambda s, w, _: acts.claim(s, the_act(s, w, 1), owner="x", now=NOW, until=NOW + MINUTE),
    "acts.put_off": lambda s, w, _: acts.put_off(s, the_act(s, w, 2), {}, NOW, owner="worker-1"),
    "acts.wake": lambda s, w, a: acts.wake(
        s, w, a.home.connection_id, [("of-a", 0)], ["waits-of-a"], NOW - MINUTE
    ),
    "acts.renew": lambda s, w, _: acts.renew(s, the_act(s, w, 2), owner="worker-1", until=NOW),
    "acts.keep": lambda s, w, _: acts.keep(s, the_act(s, w, 2), {"outcome": "x"}, owner="worker-1"),
    "acts.again": lambda s, w, _: acts.again(s, w, 3, now=NOW, journal=[]),
    "acts.end_by_hand": lambda s, w, _: acts.end_by_hand(s, w, 3, now=NOW, outcome="x", journal=[]),
    "acts.drop": lambda s, w, a: acts.drop(s, w, a.home.connection_id, "of-a", now=NOW, outcome="x"),
    "acts.get": lambda s, w, _: acts.get(s, w, 1),
    "acts.page": lambda s, w, _: acts.page(s, w, ActFilter()).items,
    "acts.of_event": lambda s, w, a: acts.of_event(s, w, a.event_row),
    "acts.count": lambda s, w, _: acts.count(s, w),
    "reconciliations.get": lambda s, w, _: reconciliations.get(s, w, "comparison-of-a"),
    "reconciliations.end": lambda s, w, _: reconciliations.end(s, w, "begun-comparison-of-a", NOW, None),
    "reconciliations.mark_repaired": lambda s, w, _: reconciliations.mark_repaired(
        s, w, "comparison-of-a", "run"
    ),
    "reconciliations.page": lambda s, w, _: reconciliations.page(s, w).items,
    "reconciliations.latest": lambda s, w, _: reconciliations.latest(s, w, "connection-of-a"),
    "reconciliations.prune": lambda s, w, _: reconciliations.prune(s, w, "connection-of-a", 0),
    "differences.add": lambda s, w, _: differences.add(s, w, 1, [DIFFERENT]),
    "differences.page": lambda s, w, _: differences.page(s, w, 1, DifferenceFilter(), NEWEST).items,
    "differences.fields": lambda s, w, _: differences.fields(s, w, 1),
    "differences.repairable": lambda s, w, _: differences.repairable(s, w, 1, 10),
    "differences.mark_compared": lambda s, w, a: differences.mark_compared(s, w, [a.link_id], 9),
    "differences.compared": lambda s, w, a: len(differences.compared(s, w, [a.link_id], 1)),
    "differences.unseen": lambda s, w, a: differences.unseen(s, members_of(w, a), 2, 0, 10),
    "differences.on_their_way": lambda s, w, a: len(
        differences.on_their_way(s, w, a.home.connection_id, [HELD.id], NOW)
    ),
    "differences.sums_on_their_way": lambda s, w, a: differences.sums_on_their_way(
        s, w, a.home.connection_id, ["payment"]
    ),
    "reconcile_plans.get": lambda s, w, _: reconcile_plans.get(s, w, "connection-of-a"),
    "reconcile_plans.take": lambda s, w, _: reconcile_plans.take(s, a_plan(w), NOW),
    "reconcile_plans.change": lambda s, w, _: reconcile_plans.change(
        s, w, "connection-of-a", every_hours=0, due_at=NOW
    ),
    "removals.unseen": lambda s, w, a: removals.unseen(s, members_of(w, a), 99, 0, 10),
    "removals.count": lambda s, w, a: removals.count(s, members_of(w, a)),
    "removals.count_unseen": lambda s, w, a: sum(removals.count_unseen(s, members_of(w, a), 99)),
    "removals.mark_gone": lambda s, w, a: removals.mark_gone(s, w, [a.link_id], NOW),
    "removals.keep_unseen": lambda s, w, a: removals.keep_unseen(s, members_of(w, a), 99, NOW),
    "runs.end": lambda s, w, _: runs.end(s, w, "idle-run-of-a", NOW, None),
    "questions.answer": lambda s, w, _: questions.answer(s, w, "asking-run-of-a", "refused", "x", "success"),
    "questions.waiting": lambda s, w, _: questions.waiting(s, w, "asking-connection"),
    "logbook.titles": lambda s, w, _: logbook.titles(s, w, [REF.id]),
    "endings.keep": lambda s, w, a: endings.keep(s, members_of(w, a), {"mem-of-a": None}),
    "endings.coming": lambda s, w, a: endings.coming(
        s,
        w,
        a.home.connection_id,
        "member",
        "of-a",
        after=NOW - 9_000 * MINUTE,
        until=NOW + 9_000_000 * MINUTE,
        limit=9,
    ),
    "endings.take": lambda s, w, a: endings.take(
        s, w, a.home.connection_id, [("member", "mem-of-a", 0)], {0: NOW}
    ),
    "schedules.get": lambda s, w, a: schedules.get(s, w, a.home.connection_id, "incremental"),
    "schedules.change": lambda s, w, a: schedules.change(
        s,
        w,
        a.home.connection_id,
        "incremental",
        now=NOW,
        every=7,
        enabled=False,
        usual=MINUTE,
    ),
    "schedules.add": lambda s, w, a: schedules.add(s, w, a.home.connection_id, "another", NOW),
    "schedules.missed": lambda s, w, a: schedules.missed(s, w, "ended-connection", NOW - MINUTE),
    "checkpoints.get": lambda s, w, a: checkpoints.get(s, w, a.home.connection_id, "member:acted").round,
    "checkpoints.move": lambda s, w, a: checkpoints.move(
        s, w, a.home.connection_id, Covered("member:acted", version=1), until=NOW
    ),
    "sales.differing": lambda s, w, a: int(not sales.differing(s, w, a.home.connection_id, [PAID])),
    "sales.unsettled": lambda s, w, a: sales.unsettled(s, w, a.home.connection_id),
    "overview.latest_syncs": lambda s, w, a: overview.latest_syncs(s, w, a.home.connection_id),
    "overview.active_of": lambda s, w, a: overview.active_of(s, w, a.home.connection_id),
    "overview.ever_synced": lambda s, w, a: overview.ever_synced(s, w, a.home.connection_id),
}

#: What a function is given that asks the database for somebody.
ASKED = {"session", "workspace_id"}
#: Tables whose rows belong to no workspace.
OF_INSTALLATION = {"crm_registration", "operator", "sign_in_link"}

_OPERATOR = "for the operator's commands, which know no workspace yet"
_LEASE = "the caller must hold the run's lease, and names itself as its owner"
_AGE = "forgets what is old in all workspaces, and tells only how many"
_INSTALLATION = "operators look after the whole installation; their rows belong to no workspace"
OPERATORS = (
    *("add", "named", "every", "remove", "credentials", "set_password"),
    *("keep_link", "link_owner", "use_link"),
)
RETENTION = (
    "retention.undoable",
    "retention.before_values",
    "retention.intents",
    "retention.log_entries",
    "retention.runs",
    "retention.differences",
    "retention.comparisons",
    "retention.messages",
    "retention.incidents",
    "retention.events",
    "retention.deliveries",
    "retention.refusals",
    "retention.replies",
    "retention.conversations",
    "retention.audit",
    "retention.mapping_versions",
    "retention.mapping_sets",
    "retention.sessions",
    "retention.sign_in_links",
)
SESSIONS = ("start", "find", "touch", "choose", "of_person", "revoke", "revoke_all")
_IDENTITY = "a person signs in: which workspace it is, is what the CRM just proved"
_BEFORE = "nobody is signed in yet; the browser's own secret is asked for"
_CALLED = "for the functions of the store alone, which say whose rows"
EXEMPT = {
    "mapping_passes.every": "for the sweeper, which starts what is due of all workspaces",
    "pending.add": "only adds; the new row names its workspace",
    "pending.lapsed": "withdraws what is over in all workspaces",
    "pending.sweep": "forgets what is over in all workspaces, and tells only how many",
    "workspaces.add": "makes a workspace",
    "workspaces.of_crm": _IDENTITY,
    "workspaces.is_served": _IDENTITY,
    "workspaces.free_name": "tells only a name that nobody has",
    "crm_grants.keep": "only replaces what the same person granted; the new row names its workspace",
    **{f"crm_sign_ins.{name}": _BEFORE for name in ("add", "use", "sweep", "client_id", "remember")},
    "answers.use_up": _CALLED,
    "answers.forget": _CALLED,
    "workspaces.named": _OPERATOR,
    "workspaces.every": _OPERATOR,
    "connections.owner_of": _OPERATOR,
    "connections.that_may_come_back": "a sweep that tries the credentials of all workspaces",
    "runs.owner_of": _OPERATOR,
    "runs.by_id": "for jobs, whose arguments are ids",
    "runs.overdue": "the sweeper rings for the runs of all workspaces and passes on their ids only",
    "relations.expectant": "the sweeper looks after all workspaces, and learns their ids only",
    "runs.start": "only adds; the new row names its workspace",
    "runs.lease": "for jobs, whose arguments are ids",
    "runs.renew": _LEASE,
    "runs.save": _LEASE,
    "runs.release": _LEASE,
    "runs.finish": _LEASE,
    "intents.note": "only adds; the note carries the workspace of the run that is given",
    "leases.renew": _LEASE,
    "leases.save": _LEASE,
    "runs.log": "only adds; the entries carry the workspace of the run that is given",
    "links.keep": "the caller must hold the links' claims, and names itself as their owner",
    "inbox.add": "only adds; the new rows name their workspace",
    "notes.wake": "passes on the ids of events whose notes may be left now, over all workspaces",
    "endings.due": "passes on what has ended, over all workspaces",
    "schedules.unplanned": "passes on the ids of connections that have no due time yet, over all workspaces",
    "schedules.due": "passes on what is due, over all workspaces",
    "schedules.beyond": "passes on what is due too late, over all workspaces",
    "schedules.claim": "moves the very row that it is given, which names its workspace",
    "silence.missed": "counts for the very run that it is given, which names its workspace",
    "inbox.beyond": "passes on the ids of events whose time a wrong clock set, over all workspaces",
    "inbox.unheard": "passes on events that automations have not looked at, over all workspaces",
    "drains.waiting": "passes on the ids of connections whose events wait, over all workspaces",
    "registrations.due": "passes on the ids of connections whose webhook is to be looked after",
    "crm_requests.due": "passes on where it is time to look, over all workspaces",
    "acts.add": "only adds; the new rows name their workspace",
    "automations.on": "passes on where an automation is on, over all workspaces, to whoever sets it off",
    "acts.due": "passes on what is to be done, over all workspaces, to whoever does it",
    "conversations.begin": "only adds; the new row names its workspace",
    "conversations.add": "only adds; the replies carry the workspace of the conversation that is given",
    "conversations.due": "passes on what is to be looked at, over all workspaces, to whoever does it",
    "alerts.due": "passes on what is to be sent, over all workspaces, to whoever sends it",
    "reconciliations.start": "only adds; the new row names its workspace",
    "reconciliations.lease": "for jobs, whose arguments are ids",
    "reconciliations.by_id": "for jobs, whose arguments are ids",
    "reconciliations.overdue": "the sweeper rings for those of all workspaces and passes on their ids only",
    "reconciliations.renew": "the caller must hold its lease, and names itself as its owner",
    "reconciliations.save": "the caller must hold its lease, and names itself as its owner",
    "reconciliations.finish": "the caller must hold its lease, and names itself as its owner",
    "reconcile_plans.add": "only adds; the new row names its workspace",
    "reconcile_plans.due": "passes on the ids of connections that are to be compared",
    "reconcile_plans.unplanned": "passes on the ids of connections that have no plan yet",
    "misses.add": "only adds; the new rows name their workspace",
    "hooks.add_secret": "only adds; the new row names its workspace",
    "hooks.hook": "for the webhook door, which knows a connection's id and nothing else yet",
    "hooks.hooks_of_company": "for the webhook door: the app serves every workspace that has the company",
    "hooks.count_refusals": "only counts; each count names its workspace",
    "audit.record": "only adds; the event names its workspace",
    **dict.fromkeys(RETENTION, _AGE),
    **{f"operators.{name}": _INSTALLATION for name in OPERATORS},
    **{f"sessions.{name}": _INSTALLATION for name in SESSIONS},
    "db.insert_into": "makes a statement and sends nothing",
    "db.insert_new": "makes a statement and sends nothing",
    "db.one_of": "makes a condition and sends nothing",
    "db.many": "executes what it is given, for the functions of the store alone",
    "db.alone": "the caller's statement; executes no query of its own",
}


PAID = Sale(
    "payment", "pay-of-a", "pay-of-a", "mem-of-a", "paid", "usd", "1", "of-a", 0, None, None, {"id": "of-a"}
)
DIFFERENT = Difference(
    Ref("whop", "member", "mber-of-a"), "person", "of-a", Cause.DRIFT, "crm-of-a", "name-of-a", "x", "y"
)
PAST = Past(Ref("whop", "product", "prod-of-a"), "person", "of-a", 0)
LEFT = NewNote("rule-of-a", "pay-of-a", "note", "note-of-a", 1)
THERE = NewNote("rule-of-a", "other-of-a", "note", "there-of-a", 2)
AT_ONCE: dict[str, Any] = {"owner": "x", "now": NOW, "until": NOW + MINUTE}
VISITOR = Visitor("operator-1", "browser-1")


WRONG = Condition(Kind.EVENTS_PARKED, "of-a", "of-a", "of-a", "/of-a")


def add_alerts(session: Session) -> None:
    """An incident that was told by e-mail and is about to be by webhook, a test, and who is told."""
    alerts.keep_settings(session, "workspace-of-a", recipients=["of-a"])
    alerts.open_(session, "workspace-of-a", [WRONG], NOW)
    told = [NewMessage(1, "opened", way, "of-a", "of-a") for way in ("email", "webhook")]
    alerts.add(session, "workspace-of-a", [*told, NewMessage(None, "test", "email", "of-a", "of-a")], NOW)
    alerts.settle(session, "workspace-of-a", 1, state="sent")


def a_plan(workspace_id: str) -> Plan:
    return Plan("connection-of-a", workspace_id, 24, NOW)


def add_comparison(session: Session, link_id: int) -> None:
    """One that is over and found something, the next one, and when the one after that is due."""
    new = NewReconciliation("comparison-of-a", "workspace-of-a", "connection-of-a", "of-a", "corr", NOW)
    one = reconciliations.start(session, new)
    leased = reconciliations.lease(session, one.id, owner="w", now=NOW, until=NOW + MINUTE)
    assert leased is not None
    differences.add(session, "workspace-of-a", one.number, [DIFFERENT])
    differences.mark_compared(session, "workspace-of-a", [link_id], one.number)
    reconciliations.finish(session, leased, owner="w", now=NOW)
    reconciliations.start(session, replace(new, id="begun-comparison-of-a"))
    reconcile_plans.add(session, a_plan("workspace-of-a"))


def a_crm_grant(workspace_id: str) -> CrmGrant:
    return CrmGrant(
        "admin-of-a", workspace_id, "https://t", "client", "access-of-a", "refresh-of-a", NOW, NOW
    )


def add_people(session: Session) -> None:
    """An admin who signed in, whose grant somebody was renewing."""
    known = {"workspace_id": "workspace-of-a", "crm_user_id": "user-1", "name": "of-a", "email": ""}
    session.execute(admin.insert().values(id="admin-of-a", **known, created_at=NOW, signed_in_at=NOW))
    claimed = {"claimed_by": "keeper-1", "claimed_until": NOW - MINUTE}
    crm_grants.keep(session, replace(a_crm_grant("workspace-of-a"), **claimed))
    workspaces.refuse(session, "workspace-of-a", {"code": "of-a"})


def granted(workspace_id: str) -> Grant:
    return Grant(workspace_id, "granted-connection", "refresh-of-a")


def add_grants(session: Session) -> None:
    """A connection whose token somebody was renewing, and two authorizations under way."""
    sealed = {"refresh_sealed": "refresh-of-a", "auth": "oauth"}
    claimed = {"refresh_claimed_by": "keeper-1", "refresh_claimed_until": NOW - MINUTE}
    ids = {"id": "granted-connection", "company_id": "granted"}
    connections.add_or_revive(session, a_connection("workspace-of-a", **ids, **sealed, **claimed))
    for id_, state, waiting in (("begun", "state", None), ("held-by-somebody", "other", "sealed-of-a")):
        pending.add(
            session, a_pending("workspace-of-a", id=id_, state_hash=digest(state), grant_sealed=waiting)
        )


def modules_of_the_store() -> list[ModuleType]:
    return [
        importlib.import_module(f"connector.store.{found.name}")
        for found in pkgutil.iter_modules(store.__path__)
    ]


def of_members(workspace_id: str, a: World) -> Claimed:
    return Claimed(workspace_id, a.home.connection_id, "whop", "member", "person")


def a_question(ref: Ref, title: str = "of-a") -> Question:
    candidate = {"id": "crm-of-a", "fits": ["emails"]}
    return Question(ref, title, "several", {"emails": "of-a"}, [candidate], only_one=False)


def add_reviews(session: Session, home: Home) -> tuple[int, int]:
    """One that waits, one that is decided, and a membership that waits for a person who is there by now."""
    reviews.ask(session, home.claims, [a_question(WAITS), a_question(DECIDED)], NOW)
    found = reviews.find(session, home.workspace_id, "person", [WAITS, DECIDED])
    one, chosen = found[DECIDED], Decision(Choice.LINK, "crm-of-a")
    reviews.decide(session, home.workspace_id, one.id, chosen, version=one.version, who="of-a", now=NOW)
    deals = replace(home.claims, kind="membership", object="opportunity")
    relations.keep(session, deals, [], [relations.Open(CHILD, REF, "person")])
    return found[WAITS].id, one.id


def functions_of_the_store() -> dict[str, Callable[..., Any]]:
    """Every public function that is given a session or a workspace."""
    found: dict[str, Callable[..., Any]] = {}
    for module in modules_of_the_store():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            asked = ASKED & set(inspect.signature(function).parameters)
            if asked and function.__module__ == module.__name__ and not name.startswith("_"):
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = function
    return found


def test_every_function_of_the_store_is_tried_or_exempt_for_a_reason() -> None:
    assert set(functions_of_the_store()) == set(ASKING) | set(EXEMPT)
    assert not set(ASKING) & set(EXEMPT)


def test_no_function_that_is_given_a_workspace_is_exempt() -> None:
    found = functions_of_the_store()

    assert [name for name in EXEMPT if "workspace_id" in inspect.signature(found[name]).parameters] == []


def test_the_store_asks_by_functions_alone() -> None:
    """A query in a method would be tried by nobody here."""
    methods = [
        f"{module.__name__}.{class_.__name__}.{name}"
        for module in modules_of_the_store()
        for _, class_ in inspect.getmembers(module, inspect.isclass)
        if class_.__module__ == module.__name__
        for name, method in inspect.getmembers(class_, inspect.isfunction)
        if not name.startswith("_") and ASKED & set(inspect.signature(method).parameters)
    ]

    assert methods == []


def test_every_table_belongs_to_workspaces_or_to_the_installation() -> None:
    owned = {name for name, table in metadata.tables.items() if "workspace_id" in table.c}

    assert metadata.tables.keys() - owned - {"workspace"} == OF_INSTALLATION


@pytest.fixture(scope="module")
def both(shared_database: Database) -> Both:
    a = workspace_a(shared_database)
    b = a_home(shared_database, workspace=a_workspace(id="workspace-b"), company_id="biz_b")
    return Both(shared_database, a, b.workspace_id)


@pytest.mark.parametrize("name", ASKING)
def test_another_workspace_gets_nothing_and_changes_nothing(both: Both, name: str) -> None:
    with taken_back(both.database) as session:
        before = rows_of_a(session)

        answer = ask(session, name, both.b, both.a)

        assert "of-a" not in repr(answer)
        assert not isinstance(answer, int) or answer == 0
        assert rows_of_a(session) == before


@pytest.mark.parametrize("name", ASKING)
def test_the_owner_itself_gets_or_changes_something(both: Both, name: str) -> None:
    with taken_back(both.database) as session:
        before = rows_of_a(session)

        answer = ask(session, name, both.a.home.workspace_id, both.a)

        counted = isinstance(answer, int) and answer > 0
        assert counted or "of-a" in repr(answer) or rows_of_a(session) != before


@contextmanager
def taken_back(database: Database) -> Iterator[Session]:
    with database.engine.connect() as session, session.begin() as transaction:
        yield session
        transaction.rollback()


def ask(session: Session, name: str, workspace_id: str, a: World) -> Any:
    try:
        with session.begin_nested():
            return ASKING[name](session, workspace_id, a)
    except ConnectorError:
        return None


def workspace_a(database: Database) -> World:
    workspace = a_workspace(id="workspace-of-a", crm_name="of-a")
    home = a_home(database, workspace=workspace, id="connection-of-a", **ACME)
    run = a_leased_run(database, home, id="run-of-a")
    link = claim(database, home, [REF])[REF]
    kept = a_kept_row(link, crm_id="crm-of-a", memory={"company": (77, 7), "name-of-a": (1, 7)}, seen_run=7)
    with database.transaction() as session:
        links.keep(session, home.claims, "run-1", [kept])
        failure = {"ref": Ref("whop", "member", "mber-of-a"), "error": RecordError("No.")}
        told = [an_outcome(title="of-a", reason="why-of-a"), an_outcome(**failure, result=Result.FAILED)]
        runs.log(session, run, told, NOW)
        intent = intents.note(session, run, "member", "person", {"mber-of-a": [{}, {"n": "of-a"}, None, []]})
        for place in ("idle", "paused", "ended", "asking"):
            id_ = f"{place}-connection"
            connections.add_or_revive(session, a_connection("workspace-of-a", id=id_, company_id=place))
            runs.start(session, a_new_run(home, connection_id=id_, id=f"{place}-run-of-a"))
        runs.pause_idle(session, "workspace-of-a", "paused-connection")
        ended = runs.lease(session, "ended-run-of-a", owner="worker-1", now=NOW, until=NOW + MINUTE)
        assert ended is not None
        add_untold(session, ended)
        runs.finish(session, ended, owner="worker-1", status="success", now=NOW, missed=3)
        add_clock(session)
    add_event(database, an_event(home, body=b"of-a"))
    with database.transaction() as session:
        secret = HookSecret(
            "secret-of-a", "workspace-of-a", "connection-of-a", "standard", "sealed-of-a", NOW
        )
        hooks.add_secret(session, secret)
        paid = Sale(
            "payment",
            "pay-of-a",
            "pay-of-a",
            "mem-of-a",
            "paid",
            "usd",
            "1",
            "of-a",
            0,
            None,
            None,
            {"id": "of-a"},
        )
        sales.keep(session, "workspace-of-a", "connection-of-a", [paid])
        miss = Miss("workspace-of-a", "connection-of-a", "miss-of-a", "of-a", "of-a", NOW, NOW)
        misses.add(session, [miss, replace(miss, event_id="parked")])
        notes.begin(session, "workspace-of-a", "connection-of-a", [LEFT, THERE], NOW)
        notes.left(session, "workspace-of-a", run.number, {THERE.crm_id: None})
        refused = Refused("workspace-of-a", "connection-of-a", "wrong")
        hooks.count_refusals(session, {refused: 1}, at=NOW, address="network-of-a")
    for state in ("parked", "done"):
        add_event(database, an_event(home, event_id=state, state=state, type=f"{state}.of-a", settled_at=NOW))
    with database.reading() as session:
        (event,) = inbox.pending(session, home.workspace_id, home.connection_id, NOW, 10)
    claim(database, home, [HELD], owner="drain-1")
    with database.reading() as session:
        held = links.find(session, home.workspace_id, "person", [HELD])[HELD]
    with database.transaction() as session:
        audit.record(session, NewEvent("connect", NOW, workspace_id=workspace.id, about={"company": "of-a"}))
        add_grants(session)
        drains.lease(session, "workspace-of-a", "connection-of-a", **{**AT_ONCE, "owner": "drain-1"})
        registrations.lease(session, "workspace-of-a", "connection-of-a", **{**AT_ONCE, "owner": "hooks-1"})
        for add in (add_people, add_alerts, add_acts, add_talks):
            add(session)
        add_comparison(session, link.id or 0)
        add_files(session, home)
        waiting, untold = add_reviews(session, home), add_undo(session, home, run)
    share_person(database, replace(home, connection_id="idle-connection"))
    assert None not in (link.id, held.id, event.id)
    return World(home, run.number, link.id or 0, held.id or 0, event.id or 0, *waiting, intent, run, untold)


def add_clock(session: Session) -> None:
    """What is due when, how far it is covered, and a refund that is under way."""
    ids = ("workspace-of-a", "connection-of-a")
    asking = runs.lease(session, "asking-run-of-a", owner="worker-2", now=NOW, until=NOW + MINUTE)
    assert asking is not None
    runs.finish(session, asking, owner="worker-2", status="waiting", now=NOW)
    schedules.add(session, *ids, "incremental", NOW + MINUTE)
    endings.keep(session, Claimed(*ids, "whop", "member", "person"), {"mem-of-a": "2026-03-02T08:00:00.000Z"})
    checkpoints.move(session, *ids, Covered("member:acted"), round_={"at": "of-a"})
    sales.keep(session, *ids, [PAID._replace(kind="refund", id="refund-of-a", status="pending")])


def add_files(session: Session, home: Home) -> None:
    """A mapping file of its own, and the set that a run maps by."""
    mappings.add(session, "workspace-of-a", OWN_FILE, NOW)
    mappings.keep_set(session, "workspace-of-a", "v-of-a", {"member.yaml": "of-a"}, NOW)
    look = {"type": "preview", "alone": False, "mapping_version": "v-of-a", "id": "preview-of-a"}
    runs.start(session, a_new_run(home, **look))
    mapping_passes.add(session, "workspace-of-a", "connection-of-a", ["member"], 1, "of-a")


def add_undo(session: Session, home: Home, of: runs.Run) -> int:
    """A run that took another back, and a record that is held since."""
    id_ = "undone-connection"
    connections.add_or_revive(session, a_connection("workspace-of-a", id=id_, company_id="undone"))
    new = a_new_run(home, connection_id=id_, id="undo-run-of-a", type="undo", checkpoint={"of": of.number})
    runs.start(session, new)
    done = runs.lease(session, new.id, owner="worker-3", now=NOW, until=NOW + MINUTE)
    assert done is not None
    runs.finish(session, done, owner="worker-3", status="success", now=NOW)
    table = metadata.tables["link"]
    mine = table.c.source_id == "prod-of-a"
    session.execute(table.update().where(mine).values(held_run=done.number, crm_id="crm-prod-of-a"))
    return int(session.execute(table.select().where(mine)).one().id)


def add_untold(session: Session, run: runs.Run) -> None:
    """A change that a sync brought, and that no event told."""
    ref = Ref("whop", "product", "prod-of-a")
    runs.log(session, run, [an_outcome(ref=ref)], NOW)
    row = {"workspace_id": run.workspace_id, "connection_id": run.connection_id, "source": "whop"}
    row |= {"kind": ref.kind, "source_id": ref.id, "object": "person", "state": "linked"}
    row |= {"generation": 0, "source_updated_at": "2026-03-02T08:00:00.000Z"}
    session.execute(metadata.tables["link"].insert(), [row])


def share_person(database: Database, other: Home) -> None:
    """The same person as a member of another company."""
    link = claim(database, other, [Ref("whop", "member", "mber_8")], owner="drain-8")
    row = a_kept_row(link[Ref("whop", "member", "mber_8")], crm_id="crm-of-a")
    with database.transaction() as session:
        links.keep(session, other.claims, "drain-8", [row])


def rows_of_a(session: Session) -> dict[str, list[Any]]:
    """All that is A's, table by table."""
    found = {}
    for name, table in metadata.tables.items():
        owner = table.c.id if name == "workspace" else table.c.get("workspace_id")
        if owner is None:  # of the installation, such as its operators
            continue
        query = table.select().where(owner == "workspace-of-a").order_by(*table.primary_key)
        found[name] = list(session.execute(query))
    return found
