"""The page of what is, and will be, in Twenty: every state of it, and the buttons that change Twenty."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

import pytest
from desk import a_connection
from entering import Door, send
from flask.testing import FlaskClient

from connector.sandbox.twenty import api_keys
from connector.store import audit, connections, runs, workspaces
from connector.store.connections import Connection
from connector.store.models import workspace
from connector.store.workspaces import Workspace
from connector.sync import modelling, onboarding
from connector.web import create_app
from connector.web.crm_links import CrmLinks
from tests.sync.scene import Clock, RecordingBell, Service, built, environment, twenty_served

NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Site:
    """One connected company; ``path`` is its page."""

    door: Door
    browser: FlaskClient
    twenty: Service
    workspace: Workspace
    connection: Connection

    @property
    def path(self) -> str:
        return f"/connections/{self.connection.id}/plan"

    def page(self) -> str:
        """The text of the page, with its links."""
        answer = self.browser.get(self.path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return " ".join(unescape(re.sub(r"<(?!a |/a)[^>]+>", " ", answer.text)).split())

    def press(self, path: str = "", **fields: str) -> str:
        """Send a form of the page; the page that it comes to."""
        answer = send(self.browser, f"{self.path}{path}", at=self.path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def prepare(self) -> None:
        modelling.provision(self.door.parts.tools, self.workspace)

    def synced(self) -> None:
        with self.door.parts.database.transaction() as session:
            connections.touch_synced(session, self.workspace.id, self.connection.id, self.door.clock())

    def crm(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        bearer = {"Authorization": f"Bearer {key or api_keys(self.twenty.app)[0]}"}
        answer = self.door.parts.door.session(self.twenty.url, headers=bearer).request(
            method, path, json=body
        )
        assert answer.status < 400, answer.body
        return answer.json()

    def field(self, object_: str, name: str, /, **changes: Any) -> None:
        found = self.crm("GET", "/rest/metadata/objects?limit=200")["data"]
        of = next(one for one in found if one["nameSingular"] == object_)
        id_ = next(one["id"] for one in of["fields"] if one["name"] == name)
        self.crm("PATCH", f"/rest/metadata/fields/{id_}", changes)

    def recorded(self) -> list[str]:
        with self.door.parts.database.reading() as session:
            return [one.what for one in audit.shown(session, self.workspace.id, "nobody")]

    def runs(self) -> list[runs.Run]:
        with self.door.parts.database.reading() as session:
            return runs.of_workspace(session, self.workspace.id)


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    with (
        twenty_served() as twenty,
        closing(built(environment(database_url, NOBODY, "unix:///nowhere/redis.sock"))) as plain,
    ):
        clock = Clock()
        parts = replace(plain, tools=replace(plain.tools, clock=clock, queue=RecordingBell()))
        door = Door(create_app(parts), parts, clock)
        yield a_site(door, twenty, api_keys(twenty.app)[0])


def a_site(door: Door, twenty: Service, key: str) -> Site:
    new = onboarding.NewWorkspace("Northlight", twenty.url, key)
    parts = door.parts
    made = onboarding.add_workspace(
        parts.database, parts.vault, new, check_key=parts.check_crm_key, now=door.clock()
    )
    connection = a_connection(made.id, last_sync_at=None)
    with parts.database.transaction() as session:
        connections.add_or_revive(session, connection)
    return Site(door, door.signed_in(), twenty, made, connection)


# --- every state


def test_a_new_company_agrees_and_its_first_sync_starts(site: Site) -> None:
    page = site.page()

    assert "What will be created in Twenty" in page
    assert "Agree and start the first sync" in page
    assert site.press().startswith("/runs/")
    assert len(site.runs()) == 1


def test_a_company_in_step_is_offered_no_first_sync(site: Site) -> None:
    site.prepare()
    site.synced()

    page = site.page()

    assert "What is in Twenty" in page
    assert "Everything is there. Nothing to create." in page
    assert "first sync" not in page.lower().replace("pause it for the first sync", "")
    assert page.count(" Right ") == 3


def test_a_new_company_in_a_prepared_crm_only_starts(site: Site) -> None:
    site.prepare()

    page = site.page()

    assert "Start the first sync" in page
    assert "Agree and start" not in page


def test_what_came_to_the_mappings_later_is_created_without_a_sync(site: Site) -> None:
    site.prepare()
    site.synced()
    site.field("person", "whopUsername", name="nick")
    with site.door.parts.database.transaction() as session:  # as if its id were not known yet
        workspaces.remember_crm(session, site.workspace.id, crm_names={})

    page = site.page()

    assert "Create these in Twenty" in page
    assert site.press() == site.path
    assert "Everything is there. Nothing to create." in site.page()
    assert site.runs() == []
    assert site.recorded()[0] == "plan_agreed"


def test_what_a_person_changed_is_shown_and_left(site: Site) -> None:
    site.prepare()
    site.synced()
    site.field("person", "whopUserId", label="Customer", name="customerId")

    page = site.page()

    assert "Person · Whop user" in page
    assert "Changed in Twenty" in page
    assert "It is customerId in Twenty's API now, and is written there" in page
    assert "its name is “Customer” in Twenty and “Whop user” in the mapping. It stays so." in page
    assert f'<a href="{site.twenty.url}/settings/objects/people/customerId"' in page


def test_a_conflict_says_what_to_do_and_links_there(site: Site) -> None:
    site.prepare()
    site.field("person", "whopUserId", isActive=False)

    page = site.page()

    assert "“Whop user” of “Person” is deactivated in Twenty." in page
    assert "Activate “Whop user” in Twenty" in page
    assert f'<a href="{site.twenty.url}/settings/objects/people/whopUserId"' in page
    assert "1 conflict to solve" in page
    assert "first sync</button>" not in page
    assert "Check again" in page


def test_who_may_not_create_is_told_which_right_is_missing(site: Site) -> None:
    key = site.twenty.ask("POST", "/keys", {"do": "new", "role": "reader"})["key"]
    with site.door.parts.database.transaction() as session:
        sealed = site.door.parts.vault.seal(key, bound_to=onboarding.crm_key_binding(site.workspace.id))
        keep_key(session, site.workspace.id, sealed)

    page = site.page()

    assert "Nobody here may create these in Twenty" in page
    assert "lacks “Data model”" in page
    assert "Agree" not in page


def keep_key(session: Any, workspace_id: str, sealed: str) -> None:
    session.execute(workspace.update().where(workspace.c.id == workspace_id).values(crm_key_sealed=sealed))


def test_another_workspaces_company_has_no_page_here(site: Site) -> None:
    site.page()  # the one workspace there is, is chosen
    other = site.door.add_workspace("Elsewhere")
    theirs = a_connection(other.id, company_id="biz_9")
    with site.door.parts.database.transaction() as session:
        connections.add_or_revive(session, theirs)

    for tail in ("/workflow", "/views"):
        answer = send(site.browser, f"/connections/{theirs.id}/plan{tail}", at=site.path)
        assert answer.status_code == 404


# --- the workflow


def test_the_active_workflow_is_found_before_the_first_load(site: Site) -> None:
    page = site.page()

    assert "Twenty makes a company for every new person" in page
    assert "Pause it" in page
    assert re.search(rf'<a href="{site.twenty.url}/object/workflow/[0-9a-f-]+"', page)


def test_an_api_key_cannot_pause_it_and_says_how_it_is_done(site: Site) -> None:
    assert site.press("/workflow", on="no") == site.path

    page = site.page()

    assert "An API key never may" in page
    assert "press Deactivate" in page
    assert "workflow_paused" not in site.recorded()


def test_once_paused_it_is_offered_to_be_switched_on_again(site: Site) -> None:
    deactivate(site)

    page = site.page()

    assert "Switch it on again" in page
    assert "makes a company for every new person" not in page


def deactivate(site: Site) -> None:
    admin = site.twenty.ask("POST", "/users", {"do": "session", "email": "admin@acme.test"})["session"]
    rows = site.crm("GET", "/rest/workflows")["data"]["workflows"]
    version = next(row["lastPublishedVersionId"] for row in rows if row["name"].startswith("Create company"))
    query = "mutation($v:UUID!){deactivateWorkflowVersion(workflowVersionId:$v)}"
    site.crm("POST", "/graphql", {"query": query, "variables": {"v": version}}, key=admin)


def test_where_it_cannot_be_seen_the_rest_is_shown(site: Site) -> None:
    refused = {"message": "no", "extensions": {"code": "FORBIDDEN", "subCode": "PERMISSION_DENIED"}}
    site.twenty.dial("workflows", {"graphql_error": refused}, times=None)

    page = site.page()

    assert "Not everything could be looked at." in page
    assert "Agree and start the first sync" in page


# --- lists


def test_lists_are_made_on_request_and_linked(site: Site) -> None:
    site.prepare()
    before = site.page()

    assert site.press("/views") == f"{site.path}#views"

    page = site.page()
    assert before.count("Not made") == 3
    assert "Make these lists in Twenty" not in page
    assert len(re.findall(rf'<a href="{site.twenty.url}/objects/\w+\?viewId=[0-9a-f-]+"', page)) == 3
    assert "views_made" in site.recorded()


def test_lists_wait_for_the_fields_that_they_need(site: Site) -> None:
    page = site.page()

    assert page.count("Later") == 3
    assert "Once Whop membership status is there." in page
    assert "Make these lists in Twenty" not in page


# --- links into the CRM


def test_links_go_to_the_front_end_under_the_present_names() -> None:
    names = {"whopProduct": {"id": "o1", "name": "offer", "plural": "offers", "fields": {}}}
    id_ = str(uuid.uuid4())
    made = Workspace(
        id_,
        "n",
        "https://api.example.com",
        "w",
        "N",
        None,
        None,
        None,
        Clock()(),
        names,
        "https://acme.example.com/",
    )
    links = CrmLinks(made)

    assert links.record("whopProduct", "a/b") == "https://acme.example.com/object/offer/a%2Fb"
    assert links.record("person", "1") == "https://acme.example.com/object/person/1"
    assert links.page("/settings/objects") == "https://acme.example.com/settings/objects"
    assert links.page("") == ""
    plain = CrmLinks(replace(made, crm_front_url=None))
    assert plain.record("person", "1") == "https://api.example.com/object/person/1"


def test_where_the_pages_are_is_learned_with_the_data_model(site: Site) -> None:
    site.twenty.ask("POST", "/server", {"front_url": "https://crm.example.com"})

    site.prepare()

    with site.door.parts.database.reading() as session:
        assert workspaces.get(session, site.workspace.id).crm_front_url == "https://crm.example.com"
    site.synced()
    site.field("person", "whopUserId", label="Customer")
    assert 'href="https://crm.example.com/settings/objects/people/whopUserId"' in site.page()
