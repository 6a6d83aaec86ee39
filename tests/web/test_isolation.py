"""No page shows or changes what is another workspace's: every route is tried with the other's ids, by force.

Somebody who is signed in to workspace A sends B's ids wherever an address, a query or a form takes one.
Routes, their arguments and the fields that pages read are found by looking, so that none can be forgotten.

Commands and jobs are not tried: commands run on the machine and look after the whole installation, and the
arguments of a job are ids that the connector itself wrote down.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, a_connection, a_failure, a_person, an_update
from entering import NOON, Door, door, send
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.core.reconciling import Cause, Difference
from connector.core.records import Ref, iso
from connector.store import (
    acts,
    admins,
    connections,
    crm_grants,
    differences,
    eventbook,
    hooks,
    inbox,
    mappings,
    pending,
    reconciliations,
    reviews,
)
from connector.store.acts import NewAct
from connector.store.crm_grants import CrmGrant
from connector.store.hooks import HookSecret
from connector.store.inbox import InboxEvent
from connector.store.links import Claimed
from connector.store.mappings import NewChange
from connector.store.models import metadata
from connector.store.pending import Pending, digest
from connector.store.reconciliations import NewReconciliation
from connector.store.reviews import Question, Review
from connector.store.workspaces import Workspace

WEB = Path(__file__).parents[2] / "connector" / "web"
#: Stands in everything that B has, and in no id.
MARK = "of-b"

#: Routes that know no workspace, or that lead from one to another, with the reason.
EXEMPT = {
    "assets.file": "files of the pages themselves, the same for all",
    "health.healthz": "tells nothing of any workspace",
    "health.readyz": "tells nothing of any workspace",
    "errors.listing": "the guide to errors, the same for all",
    "errors.show": "the guide to errors, the same for all",
    "signin.form": "before anybody is signed in",
    "signin.password": "before anybody is signed in",
    "signin.link": "before anybody is signed in",
    "signin.use_link": "before anybody is signed in",
    "account.workspace": "lists the workspaces: an operator looks after all of them",
    "account.choose_workspace": "goes to another workspace: an operator looks after all of them",
    "crm_sign_in.form": "before anybody is signed in",
    "crm_sign_in.begin": "before anybody is signed in",
    "crm_sign_in.answer": "for the CRM, which says whose workspace it is; only the browser that went there",
    "crm.sign_in": "takes no id; it leads to the CRM of the session's own workspace, outside",
    "crm_hooks.of_workspace": "for the CRM, which signs with the workspace's own secret",
    "webhooks.of_app": "for Whop, which signs: the app serves every workspace that has the company",
    "webhooks.of_connection": "for Whop, which signs with the connection's own secret",
}


@dataclass(frozen=True, slots=True)
class World:
    """A browser that is signed in to A, and all that B has."""

    door: Door
    browser: FlaskClient
    other: FlaskClient
    values: dict[str, str]

    def rows_of_b(self) -> dict[str, list[Any]]:
        """All that is B's, table by table."""
        found = {}
        with self.door.parts.database.reading() as session:
            for name, table in metadata.tables.items():
                owner = table.c.id if name == "workspace" else table.c.get("workspace_id")
                if owner is not None:
                    query = table.select().where(owner == self.values["workspace"])
                    found[name] = list(session.execute(query.order_by(*table.primary_key)))
        return found


def routes() -> list[tuple[str, str]]:
    """Every endpoint with every method that it takes."""
    with tempfile.TemporaryDirectory() as folder, door(f"sqlite:///{folder}/none.db") as opened:
        return sorted(
            (rule.endpoint, method)
            for rule in opened.app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        )


ROUTES = routes()
TRIED = [(endpoint, method) for endpoint, method in ROUTES if endpoint not in EXEMPT]


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    copy = tmp_path / "connector.db"
    shutil.copyfile(sqlite_template, copy)
    with door(f"sqlite:///{copy}") as opened:
        a, b = opened.add_workspace("Northlight"), opened.add_workspace("Elsewhere")
        desk_of(opened, a, company_id="biz_a")
        browsers = []
        for workspace in (a, b):
            browser = opened.signed_in(opened.add_operator(f"marta-{workspace.name.lower()}"))
            send(browser, "/workspace", workspace=workspace.id)
            browsers.append(browser)
        yield World(opened, *browsers, values_of(opened, b))


def desk_of(opened: Door, workspace: Workspace, **changed: Any) -> Desk:
    connection = a_connection(workspace.id, **changed)
    with opened.parts.database.transaction() as session:
        connections.add_or_revive(session, connection)
    return Desk(opened, opened.browser(), workspace, connection)


def values_of(opened: Door, b: Workspace) -> dict[str, str]:
    """B's id for everything that an address, a query or a form can name, by the name it goes by there."""
    desk = desk_of(opened, b, company_id="biz_b", company_title=MARK)
    named = {"title": MARK}
    found = [a_person(**named), an_update(**named), a_failure(**{**named, "id_": "mber_9"})]
    over = desk.run(found, status="partial")
    going = desk.run([a_person("mber_2", **named)], status=None)
    desk.linked("mber_7", "mem_1")
    with opened.parts.database.transaction() as session:
        held = metadata.tables["link"].update().where(metadata.tables["link"].c.source_id == "mem_1")
        session.execute(held.values(held_run=over.number))
    review = a_review(opened, b, desk)
    with opened.parts.database.transaction() as session:
        hooks.add_secret(
            session,
            HookSecret("secret-1", b.id, desk.connection.id, "standard", f"sealed-{MARK}", NOON),
        )
        pending.add(session, a_held_grant(b))
        one = admins.vouched(session, b.id, "user-b", name=MARK, email=MARK, now=NOON)
        crm_grants.keep(
            session, CrmGrant(one.id, b.id, "https://t", "client", f"sealed-{MARK}", "sealed", NOON, NOON)
        )
    event_id = an_event(opened, b, desk)
    a_mapping_file(opened, b, review.version)
    return {
        "file": "member.yaml",
        "text": "x",
        "base": "1",
        "how": "edited",
        "recipe": "plans",
        "to": "1",
        "upload": "",
        **dict.fromkeys(("id_", "connection_id", "connection"), desk.connection.id),
        **dict.fromkeys(("run_id",), over.id),
        **dict.fromkeys(("choice", "state"), "held-1"),
        **dict.fromkeys(("before", "entry"), "1000"),
        **dict.fromkeys(("session", "token", "digest", "name", "password", "present", "new"), "x"),
        **dict.fromkeys(("event", "event_id"), str(event_id)),
        **dict.fromkeys(("key", "address"), "x"),
        "person": one.id,
        "run": str(going.number),
        "review_id": str(review.id),
        "decision": "ignore",
        "version": review.version,
        **dict.fromkeys(("crm_id", "show"), ""),
        **dict.fromkeys(("workspace", "workspace_id"), b.id),
        "company": "biz_b",
        "form": "csv",
        "code": "crm_bad_value",
        "error": "crm_bad_value",
        "theme": "dark",
        **dict.fromkeys(("next", "back"), "/runs"),
        **dict.fromkeys(("status", "type", "result", "reason", "object", "q", "day", "after"), ""),
        "idle": "show",
        "on": "yes",
        "then": "keep",
        "number": "0",
        "typed": "",
        "secret_id": "secret-1",
        "secret": "ws_0123456789abcdef",
        "scheme": "standard",
        **dict.fromkeys(("by", "others"), "us"),
        **dict.fromkeys(("cause", "field"), ""),
        "every": "24",
        "comparison_id": a_comparison(opened, b, desk),
        "act_id": str(an_act(opened, b, desk)),
        "plan": "plan_1",
        "some": "1",
        "notes": "leave",
        "dialect": "v1",
        "record": "mem_1",
        **dict.fromkeys(("recipients", "told", "webhook"), ""),
        "hours": "8",
        "who": "people",
        "all": "yes",
        "kind": "membership",
        "automation": "welcome_message",
        "source_id": "mem_1",
    }


def a_review(opened: Door, b: Workspace, desk: Desk) -> Review:
    """A record of B that waits for a decision."""
    ref = Ref("whop", "member", "mber_6")
    question = Question(ref, MARK, "several", {}, [], only_one=False)
    with opened.parts.database.transaction() as session:
        claims = Claimed(b.id, desk.connection.id, "whop", "member", "person")
        reviews.ask(session, claims, [question], NOON)
        return reviews.page(session, b.id, (reviews.WAITING,)).items[0]


def a_mapping_file(opened: Door, b: Workspace, version: str) -> None:
    """A mapping file of B's own, and the set that a sync of B went by."""
    text = f"{opened.parts.tools.mappings.shipped.texts['member.yaml']}\n# {MARK}\n"
    with opened.parts.database.transaction() as session:
        new = NewChange("member.yaml", "own", text, version, MARK, "edited", None)
        mappings.add(session, b.id, new, NOON)
        mappings.keep_set(session, b.id, version, {"member.yaml": text}, NOON)


def a_comparison(opened: Door, b: Workspace, desk: Desk) -> str:
    """A report of B with a difference in it."""
    new = NewReconciliation("comparison-b", b.id, desk.connection.id, MARK, "corr", NOON)
    differs = Difference(Ref("whop", "member", "mber_6"), "person", MARK, Cause.MISSING)
    with opened.parts.database.transaction() as session:
        one = reconciliations.start(session, new)
        differences.add(session, b.id, one.number, [differs])
    return one.id


def an_event(opened: Door, b: Workspace, desk: Desk) -> int:
    """An event of B that is parked; its row."""
    new = InboxEvent(b.id, desk.connection.id, "msg_1", MARK, "v1", MARK.encode(), NOON, NOON, state="parked")
    with opened.parts.database.transaction() as session:
        inbox.add(session, [new])
        return eventbook.parked_ids(session, b.id)[0]


def an_act(opened: Door, b: Workspace, desk: Desk) -> int:
    """An act of B that failed; its row."""
    ids, at = (b.id, desk.connection.id), iso(NOON)
    new = NewAct(*ids, "x", 0, "payment", f"pay_{MARK}", None, at, {}, NOON, [(at, MARK)])
    with opened.parts.database.transaction() as session:
        acts.add(session, [new], NOON)
        (one,) = acts.due(session, NOON)
        acts.claim(session, one, owner="w", now=NOON, until=NOON)
        acts.keep(session, one, {"state": "failed", "outcome": MARK}, owner="w")
    return one.id


def a_held_grant(b: Workspace) -> Pending:
    """An authorization of B, approved on Whop, whose company is yet to be chosen."""
    return Pending(
        id="held-1",
        state_hash=digest("held-1"),
        verifier_sealed="sealed",
        nonce="nonce",
        workspace_id=b.id,
        operator_id="operator-1",
        browser_hash="browser-1",
        connection_id=None,
        redirect_uri="https://connector.example.com/oauth/whop/callback",
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=15),
        grant_sealed=f"sealed-{MARK}",
        offer={"companies": MARK},
    )


def fields_read() -> set[str]:
    """Every field of a query or a form that some page reads."""
    found = set()
    for path in WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= set(_named(node))
    return found


def _named(node: ast.AST) -> Iterator[str]:
    """The names in request.form.get("…"), request.args["…"], word("…") and the like."""
    if isinstance(node, ast.Call) and _reads(node.func) and isinstance(node.args[0], ast.Constant):
        yield str(node.args[0].value)
    if isinstance(node, ast.Subscript) and _is_request(node.value) and isinstance(node.slice, ast.Constant):
        yield str(node.slice.value)


def _reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ("word", "_id")
    return isinstance(node, ast.Attribute) and node.attr in ("get", "getlist") and _is_request(node.value)


def _is_request(node: ast.AST) -> bool:
    named = isinstance(node, ast.Attribute) and node.attr in ("form", "args", "values")
    return named and isinstance(node.value, ast.Name) and node.value.id == "request"


def ask(world: World, browser: FlaskClient, endpoint: str, method: str) -> TestResponse:
    """Send B's ids wherever this route takes one."""
    rule = next(
        each
        for each in world.door.app.url_map.iter_rules()
        if each.endpoint == endpoint and method in (each.methods or ())
    )
    with world.door.app.test_request_context():
        path = rule.build({name: world.values[name] for name in rule.arguments})[1]
    fields = {name: value for name, value in world.values.items() if name not in rule.arguments}
    if method == "GET":
        return browser.get(path, query_string=fields, headers={"Accept": "text/html"})
    return send(browser, path, **fields)


def test_every_exempt_route_exists():
    assert EXEMPT.keys() <= {endpoint for endpoint, _method in ROUTES}


def test_every_argument_and_field_has_a_value_of_the_other_workspace(world: World):
    arguments = {
        name for rule in world.door.app.url_map.iter_rules() for name in rule.arguments if rule.endpoint
    }

    assert arguments | fields_read() <= world.values.keys() | {"filename", "path"}


@pytest.mark.parametrize(("endpoint", "method"), TRIED)
def test_a_route_gives_and_changes_nothing_of_another_workspace(world: World, endpoint: str, method: str):
    before = world.rows_of_b()

    answer = ask(world, world.browser, endpoint, method)

    assert answer.status_code < 500
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)
    assert world.rows_of_b() == before


WITH_IDS = [
    ("disconnect.ask", "GET"),
    ("connections.listing", "GET"),
    ("crm.ask_disconnect", "GET"),
    ("crm.listing", "GET"),
    ("log.listing", "GET"),
    ("reconcile.listing", "GET"),
    ("reconcile.show", "GET"),
    ("reconcile.download", "GET"),
    ("pages.overview", "GET"),
    ("runs.show", "GET"),
    ("undo.held", "GET"),
    ("mapping.listing", "GET"),
    ("mapping.show", "GET"),
    ("mapping_change.history", "GET"),
    ("mapping_change.one_set", "GET"),
    ("records.show", "GET"),
]


@pytest.mark.parametrize(("endpoint", "method"), WITH_IDS)
def test_the_owner_is_shown_it_with_the_same_ids(world: World, endpoint: str, method: str):
    answer = ask(world, world.other, endpoint, method)

    assert answer.status_code == 200
    assert MARK in answer.text


@pytest.mark.parametrize("endpoint", ["connections.pause", "disconnect.disconnect", "crm.disconnect"])
def test_the_owner_changes_it_with_the_same_ids(world: World, endpoint: str):
    before = world.rows_of_b()

    ask(world, world.other, endpoint, "POST")

    assert world.rows_of_b() != before
