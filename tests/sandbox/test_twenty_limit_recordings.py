"""The recordings of limits: the tokens of a workspace (600-610) and the calls of an address (905, 906)."""

from __future__ import annotations

import pytest
from tape import FILES, Number, Tape, check
from twenty_helpers import Clock, Twenty

TAPE: tuple[Number, ...] = (600, 601, 602, 603, 604, 605, 606, 607, 905, 906)
FORMS = (604, 605, 607)


@pytest.fixture(scope="module")
def tape() -> Tape:
    """A workspace whose bucket was just emptied, and an address that asked as often as it may."""
    clock = Clock()
    played = Tape(Twenty(rate_limited=True, now=clock).with_fields())
    played.keys["another API key"] = played.turn("keys", do="new", name="Another")["key"]
    played.keys["OAuth access token"] = played.turn("users", do="session", email="admin@acme.test")["session"]
    played.twenty.rest("POST", "/rest/people", {"whopUserId": "user_30"})
    for _ in range(99):
        clock.at += 0.036
        played.twenty.rest("GET", "/rest/people?limit=0")
    for _ in range(10):
        played.twenty.client.post("/oauth/register", json={"redirect_uris": ["https://x.example.com"]})
    for _ in range(60):
        played.twenty.client.post("/oauth/introspect", json={})
    for number in TAPE:
        clock.at += 1 if number == 607 else 0
        played.play(number)
    return played


@pytest.mark.parametrize("number", TAPE, ids=[FILES[number].stem for number in TAPE])
def test_the_sandbox_answers_as_the_recorded_server_did(tape: Tape, number: Number) -> None:
    check(tape, number, form_only=number in FORMS)


def test_an_almost_empty_bucket_lets_every_second_call_through_as_recorded() -> None:
    recorded = Tape(Twenty()).recording(609)["statuses"]
    clock = Clock()
    twenty = Twenty(rate_limited=True, now=clock)
    for _ in range(100):
        twenty.send("GET", "/rest/people?limit=0")

    statuses = []
    for _ in recorded:
        clock.at += 14.0 / len(recorded)
        statuses.append(twenty.send("GET", "/rest/people?limit=0").status_code)

    assert abs(statuses[8:].count(200) - recorded[8:].count(200)) <= 4
    assert statuses[-4:] in ([429, 200, 429, 200], [200, 429, 200, 429])
