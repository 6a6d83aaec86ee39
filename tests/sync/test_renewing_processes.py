"""Fifty workers, each a process, that all meet an ended token: one renewal, also when one is killed at it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from renewers import STEPS
from scene import Scene, Service, built, environment, whop_served

from connector.store import connections
from connector.store.connections import Connection
from connector.sync import connecting
from connector.sync.connecting import Connected
from connector.sync.tokens import live_token
from tests.sync.test_tokens import BACK, MARTA, home
from tests.whop_consent import decide, query

pytestmark = pytest.mark.slow

WORKERS = 50
LOST = ("after the request was sent", "after the answer came", "before it is saved")


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=1, memberships=1, companies=1) as service:
        yield service


@pytest.fixture
def env(database_url: str, whop: Service, redis_url: str) -> dict[str, str]:
    return environment(
        database_url,
        whop.url,
        redis_url,
        WHOP_OAUTH_URL=f"{whop.url}/oauth",
        WHOP_AUTH_URL=f"{whop.url}/oauth/authorize",
        WHOP_CLIENT_ID="app_sandboxConnector",
        WHOP_REDIRECT_URI=BACK,
    )


@pytest.fixture
def scene(env: dict[str, str], whop: Service, twenty: Service) -> Iterator[Scene]:
    """A connection whose access token has ended."""
    with closing(built(env)) as parts:
        one = Scene(whop, twenty, parts)
        one.workspace = one.add_workspace()
        url = connecting.begin(parts.desk, home(one), MARTA)
        brought = query(decide(whop.app, url))
        done = connecting.complete(parts.desk, home(one), MARTA, state=brought["state"], code=brought["code"])
        assert isinstance(done, Connected)
        one.connection = done.connection
        with parts.database.transaction() as session:
            ended = done.connection.created_at
            connections.keep_credential(session, home(one), done.connection.id, expires_at=ended)
        parts.database.close()
        yield one


def meet(
    scene: Scene, env: dict[str, str], folder: Path, step: str = "", workers: int = WORKERS
) -> list[str]:
    """What each worker came to that was not killed."""
    assert scene.connection is not None
    script = str(Path(__file__).with_name("renewers.py"))
    argv = [sys.executable, script, home(scene), scene.connection.id, str(workers), str(folder), step]
    place = {"PYTHONPATH": os.getcwd(), "PATH": os.environ["PATH"]}
    subprocess.run(argv, env={**env, **place}, check=True, timeout=240, stdout=subprocess.DEVNULL)
    return [one.read_text() for one in folder.glob("worker-*")]


def kept(scene: Scene) -> Connection:
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        return connections.get(session, home(scene), scene.connection.id)


def renewals(scene: Scene) -> int:
    """How often Whop gave new tokens for old ones."""
    (grant,) = scene.whop.app.extensions["whop"].oauth.grants._grants
    ended = grant.refresh is None  # the last token is spent by that, and gave no other
    return len(grant.spent) - ended


def asked(scene: Scene) -> int:
    """How many requests for tokens came, without the one that connected."""
    return int(scene.whop.ask("GET", "/stats")["requests"]["POST /oauth/token"]) - 1


def test_fifty_workers_renew_an_ended_token_once(scene: Scene, env: dict[str, str], tmp_path: Path) -> None:
    came_to = meet(scene, env, tmp_path)

    assert len(came_to) == WORKERS
    assert set(came_to) == {hashlib.sha256(live(scene).encode()).hexdigest()}
    assert (asked(scene), renewals(scene)) == (1, 1)


def live(scene: Scene) -> str:
    token = live_token(scene.parts.openers.keeper, kept(scene))
    assert scene.parts.openers._whop(token).request("GET", "/accounts").status == 200
    return token


def test_a_flush_of_redis_meanwhile_changes_nothing(
    scene: Scene, env: dict[str, str], tmp_path: Path, redis_url: str
) -> None:
    scene.whop.dial("POST /oauth/token", {"delay": 1.0})
    flushed = threading.Timer(0.2, lambda: redis.Redis.from_url(redis_url).flushall())
    flushed.start()

    came_to = meet(scene, env, tmp_path)

    flushed.join()
    assert len(set(came_to)) == 1
    assert (asked(scene), renewals(scene)) == (1, 1)


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_its_renewal_leaves_it_working_or_says_why_not(
    scene: Scene, env: dict[str, str], tmp_path: Path, step: str
) -> None:
    came_to = meet(scene, env, tmp_path, step)

    assert (tmp_path / "killed").exists()
    assert len(came_to) == WORKERS - 1
    assert renewals(scene) == 1
    if step in LOST:
        assert set(came_to) == {"whop_refresh_lost"}
        assert (kept(scene).status, kept(scene).ended_code) == ("expired", "whop_refresh_lost")
        assert asked(scene) == 2, "the old token was tried once more, and no oftener"
    else:
        assert set(came_to) == {hashlib.sha256(live(scene).encode()).hexdigest()}
        assert kept(scene).status == "active"
        assert asked(scene) == 1
    assert kept(scene).refresh_asked_at is None
    assert kept(scene).refresh_claimed_by is None
