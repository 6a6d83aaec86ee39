"""`flask webhook`: secrets, the events that came, taking them again, and samples through our own door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from desk import a_connection

from connector.bootstrap import Parts
from connector.cli.webhooks import webhook_group
from connector.errors import RefusedError
from connector.sandbox.twenty import api_keys
from connector.store import connections, eventbook, hooks, inbox
from connector.store.connections import Connection
from connector.store.eventbook import EventFilter
from connector.store.inbox import InboxEvent
from connector.sync import onboarding
from connector.web import event_samples
from tests.sync.scene import Service, built, environment, served
from tests.web.site_of import application

SECRET = "ws_0123456789abcdef0123456789abcdef"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@dataclass(frozen=True, slots=True)
class Shell:
    """Somebody at a command line, beside the service that they look after."""

    parts: Parts
    one: Connection
    env: dict[str, str]

    def run(self, *words: str, typed: str | None = None) -> str:
        done = CliRunner().invoke(webhook_group, words, env=self.env, input=typed, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def told(self, *words: str) -> Any:
        done = CliRunner().invoke(webhook_group, [*words, "--json"], env=self.env, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def receive(self, id_: str, state: str = "pending", *, type_: str = "membership.activated") -> int:
        """An event of today, as it stands after it was looked at."""
        now, ids = datetime.now(UTC), (self.one.workspace_id, self.one.id)
        said = {"type": type_, "timestamp": now.isoformat(), "data": {"id": "pay_1"}}
        body = json.dumps(said).encode()
        with self.parts.database.transaction() as session:
            inbox.add(session, [InboxEvent(*ids, id_, type_, "v1", body, now, now, state=state)])
        return next(one.id or 0 for one in self.events() if one.event_id == id_)

    def events(self, state: str | None = None) -> list[InboxEvent]:
        with self.parts.database.reading() as session:
            found = eventbook.event_page(session, self.one.workspace_id, EventFilter(state)).items
        return sorted(found, key=lambda event: event.id or 0)


@pytest.fixture
def shell(database_url: str, redis_url: str, twenty: Service) -> Iterator[Shell]:
    env = environment(database_url, "http://127.0.0.1:9", redis_url, FLASK_SKIP_DOTENV="1")
    new = onboarding.NewWorkspace("acme", twenty.url, api_keys(twenty.app)[0])
    with closing(built(env)) as parts, served(application(parts)) as service:
        workspace = onboarding.add_workspace(
            parts.database, parts.vault, new, check_key=parts.check_crm_key, now=parts.tools.clock()
        )
        one = a_connection(workspace.id)
        with parts.database.transaction() as session:
            connections.add_or_revive(session, one)
        yield Shell(parts, one, {**env, "PUBLIC_URL": service.url})


def secrets(shell: Shell) -> list[hooks.HookSecret]:
    with shell.parts.database.reading() as session:
        return hooks.secrets(session, shell.one.workspace_id, shell.one.id)


def test_a_secret_is_kept_listed_and_taken_back_without_being_shown(shell: Shell) -> None:
    said = [shell.run("secret", "add", shell.one.id, "--secret-file", "-", typed=SECRET)]
    (kept,) = secrets(shell)
    said.append(shell.run("secret", "list", shell.one.id))
    dropped = shell.told("secret", "drop", shell.one.id, kept.id)

    assert f"/webhooks/whop/{shell.one.id}" in said[0]
    assert kept.id in said[1]
    assert SECRET not in "".join(said)
    assert dropped == {"dropped": kept.id}
    assert secrets(shell) == []


def test_a_secret_that_is_not_there_is_not_taken_back(shell: Shell) -> None:
    done = CliRunner().invoke(webhook_group, ["secret", "drop", shell.one.id, "none"], env=shell.env)

    assert done.exit_code != 0
    assert "no webhook secret 'none'" in done.output


def test_events_are_listed_by_state_and_name(shell: Shell) -> None:
    shell.receive("msg_1", "parked")
    shell.receive("msg_2", "done", type_="payment.failed")

    listed = [shell.told("list", "acme", *how) for how in ((), ("--state", "parked"))]
    named = shell.told("list", "acme", "--event", "payment.failed")

    assert [[one["event_id"] for one in found] for found in listed] == [["msg_2", "msg_1"], ["msg_1"]]
    assert [one["event_id"] for one in named] == ["msg_2"]
    assert "parked" in shell.run("list", "acme")


def test_one_event_a_selection_or_all_that_are_parked_are_taken_again(shell: Shell) -> None:
    ids = [shell.receive(f"msg_{number}", "done") for number in range(3)]
    parked = [shell.receive(f"msg_{number}", "parked") for number in (3, 4)]

    assert shell.told("replay", "acme", str(ids[0]))["replayed"] == 1
    assert [event.id for event in shell.events("pending")] == ids[:1]
    assert shell.told("replay", "acme", *map(str, ids[1:]))["replayed"] == 2
    assert [event.id for event in shell.events("pending")] == ids
    assert shell.run("replay", "acme", "--parked") == "2 taken again.\n"
    assert [event.id for event in shell.events("pending")] == [*ids, *parked]


def test_what_is_to_be_taken_again_is_named_one_way(shell: Shell) -> None:
    for words in (["replay", "acme"], ["replay", "acme", "1", "--parked"]):
        done = CliRunner().invoke(webhook_group, words, env=shell.env)
        assert (done.exit_code, "Name the events, or say --parked." in done.output) == (2, True)


def test_notes_are_left_only_if_they_are_asked_for_and_the_number_is_agreed_to(shell: Shell) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    with shell.parts.database.transaction() as session:
        connections.set_notes(session, shell.one.workspace_id, shell.one.id, since)
    id_ = shell.receive("msg_1", "done", type_="payment.failed")
    words = ["replay", "acme", str(id_), "--notes"]

    refused = CliRunner().invoke(webhook_group, words, env=shell.env, input="n\n")
    untouched = shell.events("pending")
    quiet = shell.run("replay", "acme", str(id_))
    (without,) = shell.events("pending")
    shell.run(*words, typed="y\n")
    (agreed,) = shell.events("pending")

    assert "They leave up to 2 notes and tasks" in refused.output
    assert (refused.exit_code, untouched) == (1, [])
    assert "Up to 2 notes and tasks are not left" in quiet
    assert (without.quiet, agreed.quiet) == (True, False)


@pytest.mark.parametrize(
    ("event", "dialect", "scheme"),
    [
        ("payment.failed", "v1", "standard"),
        ("went_valid", "v1-legacy", "standard"),
        ("payment.refunded", "v5", "legacy"),
        ("membership.activated", "v2", "legacy"),
        ("company.updated", "v2", "legacy"),
    ],
)
def test_a_sample_of_any_event_in_any_dialect_goes_through_our_own_door(
    shell: Shell, event: str, dialect: str, scheme: str
) -> None:
    shell.run("secret", "add", shell.one.id, "--scheme", scheme, "--secret-file", "-", typed=SECRET)

    told = shell.told("send", shell.one.id, event, "--dialect", dialect, "--id", "mem_mine")

    (kept,) = shell.events()
    assert told == {"status": 200, "event": event}
    assert (kept.scheme, kept.source_id or "mem_mine") == (scheme, "mem_mine")


@pytest.mark.parametrize("dialect", event_samples.DIALECTS)
def test_a_sample_bears_the_name_that_was_asked_for(dialect: str) -> None:
    key = "action" if dialect in ("v5", "v2") else "type"

    for name in ("went_valid", "membership.renewed", "plan.deleted", "experience.created"):
        if name not in event_samples.known(dialect):
            assert event_samples.sample(dialect, name, "biz_1")[key] == name


def test_a_name_that_whop_never_had_has_no_sample() -> None:
    with pytest.raises(RefusedError, match=r"teapot\.boiled"):
        event_samples.sample("v1", "teapot.boiled", "biz_1")
