"""A web application with a clock of the test's, and browsers that are let in."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector import bootstrap, config
from connector.bootstrap import Parts
from connector.store import operators, workspaces
from connector.store.operators import Operator
from connector.store.workspaces import Workspace
from connector.vault import new_key
from connector.web import create_app

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOWHERE = "unix:///nowhere/redis.sock"

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Door:
    """The application of a test. Its pages are asked by ``browser()``s."""

    app: Flask
    parts: Parts
    clock: Clock

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def add_operator(self, name: str = "marta") -> Operator:
        with self.parts.database.transaction() as session:
            return operators.add(session, str(uuid.uuid4()), name, self.clock())

    def add_workspace(self, name: str = "Northlight") -> Workspace:
        id_ = str(uuid.uuid4())
        made = Workspace(
            id_, name, "https://crm.example.com", f"crm-{id_}", name, None, None, None, self.clock()
        )
        with self.parts.database.transaction() as session:
            workspaces.add(session, made)
        return made

    def link(self, one: Operator) -> str:
        """The path of a new one-time link."""
        token = secrets.token_urlsafe(32)
        with self.parts.database.transaction() as session:
            operators.keep_link(session, one.id, token, self.clock())
        return f"/sign-in/{token}"

    def signed_in(self, one: Operator | None = None) -> FlaskClient:
        """A browser that came in by a link."""
        browser, path = self.browser(), self.link(one or self.add_operator())
        assert send(browser, path, at=path).status_code == 303
        return browser


@contextmanager
def door(
    database_url: str,
    redis_url: str = NOWHERE,
    *,
    public_url: str = "http://localhost",
    prepare: Callable[[Flask], Any] = lambda app: None,
) -> Iterator[Door]:
    """``prepare`` may add routes and limits to the application before its first request."""
    env = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PUBLIC_URL": public_url,
        "SECRET_KEY": "s" * 48,
        "TOKEN_ENCRYPTION_KEYS": new_key(),
    }
    clock = Clock()
    with closing(bootstrap.build(config.load(env))) as built:
        parts = replace(built, tools=replace(built.tools, clock=clock))
        app = create_app(parts)
        prepare(app)
        yield Door(app, parts, clock)


def csrf_of(browser: FlaskClient, at: str = "/sign-in") -> str:
    """The token in the forms of a page."""
    found = _CSRF.search(browser.get(at, follow_redirects=True).text)
    assert found, f"{at} has no form"
    return found[1]


def send(browser: FlaskClient, path: str, *, at: str = "/sessions", **fields: str) -> TestResponse:
    """Post a form that stands on the page ``at``, as a browser would."""
    marked = {"csrf_token": csrf_of(browser, at), **fields}
    return browser.post(path, data=marked, headers={"Referer": f"http://localhost{at}"})
