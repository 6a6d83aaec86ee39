"""The workflow that makes a company for every new person: found, and switched by who may."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from twenty_builders import Sandbox, a_sandbox

from connector.crms.twenty.workflows import TwentyWorkflows
from connector.errors import ReconnectError, RefusedError, TryLaterError

NAME = "Create company when adding a new person"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as running:
        yield running


def workflows(sandbox: Sandbox, who: str = "") -> TwentyWorkflows:
    if not who:
        return TwentyWorkflows(sandbox.client)
    token = sandbox.control("POST", "users", {"do": "session", "email": who})["session"]
    return TwentyWorkflows(sandbox.client_with(token))


def test_a_fresh_workspace_has_it_switched_on(sandbox: Sandbox):
    found = workflows(sandbox).for_new_people()

    assert found is not None
    assert (found.name, found.active) == (NAME, True)
    assert found.at == f"/object/workflow/{found.id}"


def test_an_admin_pauses_it_and_switches_it_on_again(sandbox: Sandbox):
    by_admin = workflows(sandbox, "admin@acme.test")
    found = by_admin.for_new_people()
    assert found is not None

    by_admin.switch(found, on=False)
    paused = workflows(sandbox).for_new_people()
    by_admin.switch(found, on=True)
    resumed = workflows(sandbox).for_new_people()

    assert paused is not None
    assert resumed is not None
    assert (paused.active, resumed.active) == (False, True)


@pytest.mark.parametrize("who", ["", "member@acme.test"])
@pytest.mark.parametrize(("on", "word"), [(False, "Deactivate"), (True, "Activate")])
def test_who_may_not_is_told_what_to_do_in_twenty(sandbox: Sandbox, who: str, on: bool, word: str):
    asking = workflows(sandbox, who)
    found = asking.for_new_people()
    assert found is not None

    with pytest.raises(RefusedError) as caught:
        asking.switch(found, on=on)

    assert caught.value.code == "crm_workflow"
    assert f"press {word}." in caught.value.remedy
    assert NAME in caught.value.remedy


def test_a_credential_that_ended_is_another_matter(sandbox: Sandbox):
    found = workflows(sandbox).for_new_people()
    assert found is not None
    sandbox.control("POST", "keys", {"do": "revoke"})

    with pytest.raises(ReconnectError) as caught:
        workflows(sandbox).switch(found, on=False)

    assert caught.value.code == "crm_credential"


def test_one_that_was_deleted_is_none(sandbox: Sandbox):
    found = workflows(sandbox).for_new_people()
    assert found is not None
    sandbox.destroy("workflows", found.id)

    assert workflows(sandbox).for_new_people() is None


def test_one_that_was_renamed_is_known_by_what_it_does(sandbox: Sandbox):
    found = workflows(sandbox).for_new_people()
    assert found is not None
    sandbox.rest("PATCH", f"workflows/{found.id}", {"name": "Firmen anlegen"})

    renamed = workflows(sandbox).for_new_people()

    assert renamed is not None
    assert (renamed.name, renamed.id) == ("Firmen anlegen", found.id)


@pytest.mark.parametrize(
    ("event", "object_", "is_found"),
    [
        ("person.created", "company", True),
        ("person.upserted", "company", True),
        ("person.deleted", "company", False),
        ("person.created", "task", False),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_it_starts_for_new_people_and_makes_companies(
    sandbox: Sandbox, event: str, object_: str, is_found: bool, as_text: bool
):
    found = workflows(sandbox).for_new_people()
    assert found is not None
    step = {"type": "CREATE_RECORD", "settings": {"input": {"objectName": object_}}}
    parts = {"trigger": {"type": "DATABASE_EVENT", "settings": {"eventName": event}}, "steps": [None, step]}
    told = {name: json.dumps(part) if as_text else part for name, part in parts.items()}
    node = {"id": found.version_id, **told}
    sandbox.fault(
        "workflowVersions",
        {"status": 200, "body": {"data": {"workflowVersions": {"edges": [{"node": node}]}}}},
    )

    assert (workflows(sandbox).for_new_people() is not None) is is_found


def test_an_older_twenty_has_no_workflows(sandbox: Sandbox):
    unknown = {"message": 'Cannot query field "workflows" on type "Query".'}
    sandbox.fault("workflows", {"status": 200, "body": {"errors": [unknown]}})

    assert workflows(sandbox).for_new_people() is None


def test_an_answer_that_cannot_be_read_is_passing_trouble(sandbox: Sandbox):
    sandbox.fault("workflows", {"status": 200, "body": {"data": {"workflows": None}}})

    with pytest.raises(TryLaterError):
        workflows(sandbox).for_new_people()
