"""Every recorded error answer in the way of a write: a typed outcome with a next step, and nothing lost.

Each answer stands in for the sandbox's own, once. Whatever came of it, the same writes sent again end with
each record in the CRM exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twenty_builders import MAPPINGS, PERSON, Sandbox, a_person, a_sandbox, an_id, an_update, codes, email

from connector.crms.twenty.writer import TwentyWriter
from connector.errors import ConnectorError
from connector.web import error_registry

RECORDINGS = Path(__file__).parents[1] / "recordings" / "twenty"
#: Not answers to the connector: what a receiver of webhooks answered to Twenty.
DELIVERED = {"674-webhook-delivery-person-deleted-gql-fail"}


def errors() -> dict[str, Any]:
    """Every recorded answer that is an error, by the name of its file."""
    found = {}
    for path in sorted(RECORDINGS.glob("[0-9]*.json")):
        answer = json.loads(path.read_text()).get("response") or {}
        body = answer.get("body")
        if (answer.get("status") or 0) >= 400 or (isinstance(body, dict) and body.get("errors")):
            found[path.stem] = {"status": answer["status"], "body": body}
    return {name: answer for name, answer in found.items() if name not in DELIVERED}


ERRORS = errors()
#: Trouble of the line beside it.
LINE: dict[str, Any] = {
    "a gateway's page": {"status": 502, "body": "<html><h1>502 Bad Gateway</h1></html>"},
    "a page with status 200": {"status": 200, "body": "<!doctype html><title>Sign in</title>"},
    "an empty answer": {"status": 200, "body": ""},
    "half an answer": {"truncate": 40},
    "the end before the work": {"cut": "before"},
    "the end after the work": {"cut": "after"},
    "an error after the work": {"status": 500, "body": "connect ECONNREFUSED", "when": "after"},
    "no data": {"status": 200, "body": {"data": None}},
    "a list": {"status": 200, "body": [1, 2]},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with a_sandbox() as sandbox:
        sandbox.schema.apply(list(MAPPINGS))
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.fresh()
    running.writer = TwentyWriter(running.client)
    yield running
    running.fresh()


def attempt(sandbox: Sandbox, *writes: Any) -> list[str | None]:
    """The codes of what came of it: one for the whole, or one a record."""
    try:
        return codes(sandbox.apply(PERSON, *writes))
    except ConnectorError as error:
        return [error.code]


def is_met(sandbox: Sandbox) -> None:
    """The error that was set came in the way of a request."""
    [dial] = sandbox.control("GET", "dials")["dials"]
    assert dial["seen"]


def unexplained(found: list[str | None]) -> list[str]:
    """Codes without a word on what to do."""
    known = error_registry.entries()
    return [code for code in found if code is not None and not (code in known and known[code].todo)]


@pytest.mark.parametrize("name", [*ERRORS, *LINE])
def test_an_error_in_the_way_of_a_create_loses_and_doubles_nothing(sandbox: Sandbox, name: str):
    writes = [a_person(an_id(), emails=email(f"{an_id()}@example.com")) for _ in range(3)]
    sandbox.fault("createPeople", {**ERRORS, **LINE}[name], times=1)

    assert unexplained(attempt(sandbox, *writes)) == []

    is_met(sandbox)
    assert attempt(sandbox, *writes) == [None] * 3
    keys = [row["whopUserId"] for row in sandbox.stored().values()]
    assert [keys.count(write.values["whopUserId"]) for write in writes] == [1, 1, 1]


@pytest.mark.parametrize(("door", "words"), [("createPeople", "abc"), ("updatePeople", "aaa")])
@pytest.mark.parametrize("name", [*ERRORS, *LINE])
def test_an_error_in_the_way_of_an_update_loses_and_doubles_nothing(
    sandbox: Sandbox, name: str, door: str, words: str
):
    """Changes that differ go by an upsert, changes that are alike by a filter."""
    writes = [a_person(an_id()) for _ in words]
    made = sandbox.apply(PERSON, *writes)
    pairs = zip(writes, made, words, strict=True)
    changes = [an_update(write, done, whopUsername=word) for write, done, word in pairs]
    sandbox.fault(door, {**ERRORS, **LINE}[name], times=1)

    assert unexplained(attempt(sandbox, *changes)) == []

    is_met(sandbox)
    assert attempt(sandbox, *changes) == [None] * 3
    stored = sandbox.stored()
    assert [stored[write.crm_id]["whopUsername"] for write in writes] == list(words)


@pytest.mark.parametrize("name", [*ERRORS, *LINE])
def test_an_error_in_the_way_of_a_look_up_is_told_and_writes_nothing(sandbox: Sandbox, name: str):
    sandbox.fault("people", {**ERRORS, **LINE}[name], times=3)

    assert unexplained(sought(sandbox)) == []

    is_met(sandbox)
    sandbox.fresh()
    assert sandbox.look(PERSON, an_id())[0].by_id is None


def sought(sandbox: Sandbox) -> list[str | None]:
    """The code of what came of a look-up."""
    try:
        sandbox.look(PERSON, an_id(), whopUserId="nobody")
    except ConnectorError as error:
        return [error.code]
    return []
