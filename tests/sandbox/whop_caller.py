"""Calls to a sandbox Whop inside the test's own process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from connector.sandbox.whop import create_app

FIXTURES = Path(__file__).parent.parent / "fixtures" / "whop"
KINDS = ("accounts", "products", "plans", "members", "memberships", "payments", "refunds", "disputes")


def fixture(path: str) -> Any:
    """A reference fixture, by its path below ``tests/fixtures/whop``."""
    return json.loads((FIXTURES / path).read_text())


class Caller:
    """One client of one sandbox, with the company's own key."""

    def __init__(self, app: Flask | None = None, **sizes: Any) -> None:
        self.app = app or create_app(**sizes)
        self.parts = self.app.extensions["whop"]
        self.http = self.app.test_client()
        self.headers = {
            "Authorization": f"Bearer {self.parts.keyring.main}",
            "Api-Version-Date": "2026-10-15-1",
        }

    def ask(self, path: str, **query: Any) -> TestResponse:
        """GET below ``/api/v1``."""
        return self.http.get("/api/v1" + path, query_string=query, headers=self.headers)

    def read(self, path: str, **query: Any) -> Any:
        """The same, as JSON, and it must succeed."""
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()

    def pages(self, kind: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All pages of a list, forwards, as the reference says to read them."""
        page = self.read(f"/{kind}", **query)
        yield page
        while page["page_info"]["has_next_page"]:
            assert page["data"], "an empty page must be the last"
            page = self.read(f"/{kind}", **query, after=page["page_info"]["end_cursor"])
            yield page

    def every(self, kind: str, **query: Any) -> list[dict[str, Any]]:
        """All records of a list."""
        return [record for page in self.pages(kind, first=100, **query) for record in page["data"]]

    def turn(self, method: str, path: str, body: Any = None) -> Any:
        """A call to the dials, which must succeed."""
        answer = self.http.open("/sandbox" + path, method=method, json=body)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json()
