"""The person at the browser on Whop's consent page; the sandbox is asked as a browser would ask it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Flask

_SEALED = re.compile(r'name="request" value="([^"]+)"')


def decide(sandbox: Flask, url: str, decision: str = "approve", company: str = "") -> str:
    """Open the page at this address and press a button; the address the browser is sent to."""
    browser, parts = sandbox.test_client(), urlsplit(url)
    page = browser.get(f"{parts.path}?{parts.query}")
    if page.status_code == 303:  # what was asked is refused without a page
        return str(page.headers["Location"])
    sealed = _SEALED.search(page.text)
    assert sealed, page.text
    form = {"request": sealed[1], "decision": decision, "company": company}
    answer = browser.post("/oauth/authorize", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def query(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query))


def turn(sandbox: Flask, **what: Any) -> Any:
    """Change the sandbox's OAuth: see its own documentation."""
    answer = sandbox.test_client().post("/sandbox/oauth", json=what)
    assert answer.status_code == 200, answer.text
    return answer.json
