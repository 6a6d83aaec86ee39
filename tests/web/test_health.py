"""Alive and ready, for supervisors; and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector import bootstrap, config
from connector.store.db import Database
from connector.vault import new_key
from connector.web import create_app

NOWHERE = "unix:///nowhere/redis.sock"
SECRET = "a word that no answer may hold"


@contextmanager
def serving(database_url: str, redis_url: str) -> Iterator[Flask]:
    env = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "SECRET_KEY": "s" * 48,
        "TOKEN_ENCRYPTION_KEYS": new_key(),
    }
    with closing(bootstrap.build(config.load(env))) as parts:
        yield create_app(parts)


@pytest.fixture
def client(database_url: str, redis_url: str) -> Iterator[FlaskClient]:
    with serving(database_url, redis_url) as app:
        app.add_url_rule("/broken", "broken", broken)
        yield app.test_client()


def broken() -> str:
    raise ValueError(SECRET)


def address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def test_a_process_that_answers_is_alive(client: FlaskClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_it_is_ready_when_database_and_queue_answer(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok", "database": "ok", "queue": "ok"})


def test_missing_migrations_are_named(empty_database: Database, redis_url: str) -> None:
    with serving(address(empty_database), redis_url) as app:
        answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable", "database": "migrations are missing", "queue": "ok"}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_silent_database_is_named(database_url: str, redis_url: str) -> None:
    with serving("postgresql+psycopg://nobody@127.0.0.1:1/none", redis_url) as app:
        answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable", "database": "does not answer", "queue": "ok"}


def test_a_silent_queue_is_named(database_url: str) -> None:
    with serving(database_url, NOWHERE) as app:
        answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable", "database": "ok", "queue": "does not answer"}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_health_needs_neither_database_nor_queue(database_url: str) -> None:
    with serving("postgresql+psycopg://nobody@127.0.0.1:1/none", NOWHERE) as app:
        assert app.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nothing-here", "/broken"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-Id"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_each_request_has_an_id_of_its_own(client: FlaskClient) -> None:
    assert client.get("/healthz").headers["X-Request-Id"] != client.get("/healthz").headers["X-Request-Id"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/healthz", 405)])
def test_a_refusal_says_what_and_no_more(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_defect_shows_an_id_and_no_trace(client: FlaskClient) -> None:
    answer = client.get("/broken")

    assert answer.status_code == 500
    assert answer.json is not None
    assert answer.json["id"] == answer.headers["X-Request-Id"]
    for word in ("Traceback", "ValueError", SECRET, ".py"):
        assert word not in answer.text
