"""The person at the browser on Twenty's consent page; the sandbox is asked as a browser would ask it."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

_SEALED = re.compile(r'name="request" value="([^"]+)"')
_PERSON = re.compile(r'name="person" value="([^"]+)"[^>]*> <bdi>([^<]+)</bdi>')


def decide(sandbox: Flask, url: str, email: str = "admin@acme.test", decision: str = "authorize") -> str:
    """Open the page at this address, say who one is, press a button; where the browser is sent to.

    `decision` cancel leads into the CRM: the application hears nothing.
    """
    browser, parts = sandbox.test_client(), urlsplit(url)
    page = browser.get(f"{parts.path}?{parts.query}")
    sealed = _SEALED.search(page.text)
    assert sealed, page.text
    people = {html.unescape(name): value for value, name in _PERSON.findall(page.text)}
    form = {"request": sealed[1], "person": people[email], "decision": decision}
    answer = browser.post("/authorize", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def turn(sandbox: Flask, what: str, **given: Any) -> Any:
    """Turn something of the sandbox: `what` is oauth, server, users, roles or keys; see `turns` there."""
    answer = sandbox.test_client().post(f"/sandbox/{what}", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json
