"""A connector between both sandboxes, and a browser in which an operator goes to Whop and back."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from connector.bootstrap import Parts
from connector.sandbox.twenty import api_keys
from connector.store import connections, operators, runs
from connector.store.connections import Connection
from connector.store.db import metadata
from connector.store.operators import Operator
from connector.store.workspaces import Workspace
from connector.sync import onboarding
from connector.web import access, account, create_app, pages, plan, signin, whop
from tests.sync.scene import Clock, RecordingBell, Service
from tests.whop_consent import decide

BACK = "/oauth/whop/callback"
CLIENT = "app_sandboxConnector"
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_COMPANY = re.compile(r'type="radio" name="company" value="(biz_[^"]+)"([^>]*)>')


@dataclass
class Site:
    """The connector's pages, both services behind them, and the workspace that everything is about."""

    app: Flask
    parts: Parts
    whop: Service
    twenty: Service
    workspace: Workspace
    clock: Clock
    bell: RecordingBell

    @property
    def companies(self) -> list[str]:
        return [shelf.company.id for shelf in self.whop.app.extensions["whop"].world.owned]

    def operator(self, name: str) -> Operator:
        with self.parts.database.transaction() as session:
            return operators.add(session, str(uuid.uuid4()), name, self.clock())

    def browser(self, who: Operator | None = None) -> Browser:
        return Browser(self, self.app.test_client()).sign_in(who or self.operator(f"o{uuid.uuid4().hex[:6]}"))

    def connections(self) -> list[Connection]:
        with self.parts.database.reading() as session:
            return connections.of_workspace(session, self.workspace.id)

    def runs(self) -> list[runs.Run]:
        with self.parts.database.reading() as session:
            return runs.of_workspace(session, self.workspace.id)

    def everything(self) -> str:
        with self.parts.database.reading() as session:
            return str([list(map(tuple, session.execute(select(one)))) for one in metadata.sorted_tables])


class Browser:
    """A browser that follows redirects by hand, as each of them is looked at."""

    def __init__(self, site: Site, client: FlaskClient) -> None:
        self.site, self.client = site, client

    def sign_in(self, who: Operator) -> Browser:
        token = secrets.token_urlsafe(32)
        with self.site.parts.database.transaction() as session:
            operators.keep_link(session, who.id, token, self.site.clock())
        path = f"/sign-in/{token}"
        answer = self.client.post(path, data={"csrf_token": _CSRF.search(self.client.get(path).text)[1]})
        assert answer.status_code == 303, answer.text
        return self

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html"})

    def send(self, path: str, at: str = "", **fields: str) -> TestResponse:
        """Post a form that stands on the page ``at``."""
        page = self.get(at or path)
        marked = _CSRF.search(page.text)
        assert marked, page.text
        return self.client.post(
            path, data={"csrf_token": marked[1], **fields}, headers={"Accept": "text/html"}
        )

    def leave(self, **fields: str) -> str:
        """Press *Connect Whop*; the address at Whop."""
        asked = f"?connection={fields['connection']}" if "connection" in fields else ""
        answer = self.send("/connect/whop", f"/connect/whop{asked}", **fields)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def approve(self, *, company: str = "", decision: str = "approve", **fields: str) -> str:
        """To Whop and through its page; the path that Whop sends the browser back to."""
        back = decide(self.site.whop.app, self.leave(**fields), decision, company)
        parts = urlsplit(back)
        assert parts.path == BACK
        return f"{parts.path}?{parts.query}"

    def connect(self, **how: str) -> str:
        """All the way to the plan page; its path."""
        answer = self.get(self.approve(**{"company": self.site.companies[0]} | how))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])


def application(parts: Parts) -> Flask:
    app = create_app(parts)
    if "connect" not in app.blueprints:  # until create_app hangs them in by itself
        access.install(app, parts)
        app.register_blueprint(signin.blueprint)
        app.register_blueprint(account.blueprint)
        pages.install(app)
        _colours(app)
        app.register_blueprint(whop.blueprint)
        app.register_blueprint(plan.blueprint)
        whop.install(app, parts)
    return app


def _colours(app: Flask) -> None:
    if "colours" not in app.blueprints:
        app.add_url_rule("/theme", "colours.theme", lambda: "", methods=["POST"])


def a_workspace(parts: Parts, twenty: Service) -> Workspace:
    new = onboarding.NewWorkspace("Northlight", twenty.url, api_keys(twenty.app)[0])
    return onboarding.add_workspace(
        parts.database, parts.vault, new, check_key=parts.check_crm_key, now=parts.tools.clock()
    )


def says(answer: TestResponse, status: int, *words: str) -> None:
    """A page with these words, a way on, and nothing of the machinery."""
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())
    assert answer.status_code == status, text
    for one in words:
        assert one in text, text
    assert "Try again" in text
    assert "Traceback" not in text
