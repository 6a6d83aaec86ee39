"""The prefilled workflow of the sandbox Twenty, which makes companies where code steps are on."""

from __future__ import annotations

from typing import Any

from twenty_helpers import Twenty, email

OFF = "mutation($v:UUID!){deactivateWorkflowVersion(workflowVersionId:$v)}"
COMPANY = "Create company when adding a new person"


def session(twenty: Twenty, who: str) -> Any:
    return twenty.client.post("/sandbox/users", json={"do": "session", "email": who}).json["session"]


def version(twenty: Twenty) -> str:
    found = twenty.rest("GET", "/rest/workflows")["data"]["workflows"]
    return next(each["lastPublishedVersionId"] for each in found if each["name"] == COMPANY)


def companies(twenty: Twenty) -> list[str]:
    return [row["name"] for row in twenty.stored("companies")]


def test_where_code_steps_are_on_a_new_person_gets_a_company():
    twenty = Twenty()
    twenty.client.post("/sandbox/server", json={"code_steps": True})

    rows = twenty.people([{"emails": email("a@acme.example")}, {"emails": email("b@acme.example")}])

    assert companies(twenty) == ["Acme"]
    assert all(twenty.by_id(row["id"])["companyId"] for row in rows)


def test_by_default_the_runs_come_to_nothing():
    twenty = Twenty()

    twenty.person(emails=email("a@acme.example"))

    assert companies(twenty) == []


def test_a_paused_workflow_makes_nothing():
    twenty = Twenty()
    twenty.client.post("/sandbox/server", json={"code_steps": True})
    body = {"query": OFF, "variables": {"v": version(twenty)}}

    paused = twenty.send("POST", "/graphql", body, session(twenty, "admin@acme.test")).json
    twenty.person(emails=email("a@acme.example"))

    assert paused == {"data": {"deactivateWorkflowVersion": True}}
    assert companies(twenty) == []


def test_a_member_may_not_pause_it():
    twenty = Twenty()
    body = {"query": OFF, "variables": {"v": version(twenty)}}

    refused = twenty.send("POST", "/graphql", body, session(twenty, "member@acme.test")).json

    assert refused["errors"][0]["extensions"]["subCode"] == "PERMISSION_DENIED"


def test_the_trigger_of_the_workflow_says_what_starts_it():
    twenty = Twenty()

    found = twenty.rest("GET", f"/rest/workflowVersions/{version(twenty)}")["data"]["workflowVersion"]

    assert found["trigger"]["settings"]["eventName"] == "person.created"
