"""Requests to Twenty within its limit: what counts, and what a refusal teaches. Only waits take time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep

import pytest
from twenty_builders import MAPPINGS, PERSON, Sandbox, a_person, a_sandbox, codes

from connector import budget
from connector.budget import Budgets, Standing, Terms
from connector.crms.twenty.client import LIMITS, TwentyClient
from connector.crms.twenty.writer import TwentyWriter
from connector.errors import TryLaterError
from connector.ports import Lane

NOWHERE = "unix:///nowhere/redis.sock"
TERMS = Terms("Twenty", "crm_rate_limit", LIMITS)
START = 1_790_000_000.0


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Limited:
    """A Twenty that limits, and an installation without Redis: both live in the same made-up time."""

    sandbox: Sandbox
    time: Time
    budgets: Budgets

    def client(self, lane: Lane = "full") -> TwentyClient:
        headers = {"Authorization": f"Bearer {self.sandbox.key}"}
        session = self.sandbox.door.session(self.sandbox.url, headers=headers)
        mine = self.budgets.tokens("k", TERMS, lane)
        return TwentyClient(session, pause=self.time.pause, budget=mine)

    def ask(self, client: TwentyClient, times: int) -> None:
        for _ in range(times):
            client.query("query{people(first:1){edges{node{id}}}}")


@pytest.fixture
def limited() -> Iterator[Limited]:
    time = Time()
    with a_sandbox(rate_limited=True, now=time) as sandbox, budget.client(NOWHERE) as redis:
        yield Limited(sandbox, time, Budgets(redis, pause=time.pause, tick=time))


@pytest.fixture
def shared(redis_url: str) -> Iterator[Budgets]:
    with budget.client(redis_url) as redis:
        yield Budgets(redis, pause=sleep, tick=monotonic)


def standing(budgets: Budgets) -> Standing:
    found = budgets.standing("k")
    assert found is not None
    return found


def test_a_sync_at_the_limit_is_never_refused(limited: Limited) -> None:
    limited.ask(limited.client(), 80)

    assert limited.sandbox.requests()["refused"] == 0
    assert limited.time.now - START > 20


def test_a_webhook_is_sent_at_once_while_a_full_sync_is_at_the_limit(limited: Limited) -> None:
    full, webhook = limited.client("full"), limited.client("webhook")
    limited.ask(full, 60)
    before = limited.time.now

    limited.ask(webhook, 2)

    assert limited.time.now == before


def test_what_is_asked_of_the_metadata_costs_nothing(limited: Limited) -> None:
    client = limited.client()
    limited.ask(client, 48)
    before = limited.time.now

    for _ in range(20):
        client.metadata("query{currentWorkspace{id}}")
        client.rest("GET", "/rest/metadata/objects")

    assert limited.time.now == before


def test_a_rest_call_for_records_costs_one(limited: Limited) -> None:
    client = limited.client()
    limited.ask(client, 48)
    before = limited.time.now

    client.rest("GET", "/rest/people")

    assert limited.time.now > before


@pytest.mark.parametrize("door", ["graphql", "rest"])
def test_a_refusal_teaches_the_limit_and_fails_nothing(limited: Limited, shared: Budgets, door: str) -> None:
    limited.budgets = shared
    limited.sandbox.schema.apply(MAPPINGS)
    text = "Limit reached (5000 tokens per 60000 ms)"
    by_graphql = {"graphql_error": {"message": text, "extensions": {"subCode": "LIMIT_REACHED"}}}
    by_rest = {"status": 429, "body": {"statusCode": 429, "error": "HttpException", "messages": [text]}}
    limited.sandbox.fault("createPeople", by_graphql if door == "graphql" else by_rest, times=1)

    results = TwentyWriter(limited.client("webhook")).apply(PERSON, [a_person("a")])

    assert codes(results) == [None]
    assert standing(shared).per_minute == 5000


def test_a_refusal_that_never_ends_is_left_to_the_run(limited: Limited) -> None:
    limited.sandbox.fault("people", {"status": 429, "body": "slow down"})

    with pytest.raises(TryLaterError) as caught:
        limited.ask(limited.client("webhook"), 1)

    assert caught.value.code == "crm_rate_limit"
    assert limited.sandbox.requests()["people"] <= 20
