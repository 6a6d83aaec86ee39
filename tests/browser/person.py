"""Somebody with a browser, who notices what a page should not do."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from installation import PATIENCE, Installation
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, expect

ENDED = re.compile("Success|Partial|Failed|Cancelled")
_NAME = "Marta Klein"

expect.set_options(timeout=10_000)


class Person:
    """Has one page. ``complaints`` are errors on the console (so what the content security policy refused
    too), dialogs, scripts that broke, requests to hosts of nobody in this play, and missing files."""

    def __init__(self, context: BrowserContext, installation: Installation) -> None:
        self.complaints: list[str] = []
        self.context = context
        self.installation = installation
        self._hosts = {
            urlsplit(one).netloc for one in (installation.home, installation.whop, installation.twenty)
        }
        context.set_default_timeout(10_000)
        context.on("console", self._heard)
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("dialog", self._interrupted)
        context.on("weberror", lambda error: self.complaints.append(f"script broke: {error.error}"))
        self.page = context.new_page()

    def sign_in(self, name: str = _NAME) -> None:
        """Use a one-time link; it leads to a place for a password, which is left for later."""
        self.page.goto(self.installation.link(name))
        self.press("Sign in")
        self.sees("Set a password")
        self.follow("Not now")
        self.sees("Overview")

    def open(self, path: str) -> None:
        """Go to a page of ours."""
        self.page.goto(self.installation.home + path)

    def press(self, name: str) -> None:
        """Press the first button whose name begins so."""
        self.page.get_by_role("button", name=re.compile(f"^{re.escape(name)}")).first.click()

    def follow(self, name: str) -> None:
        """Click the first link whose name begins so."""
        self.page.get_by_role("link", name=re.compile(f"^{re.escape(name)}")).first.click()

    def sees(self, heading: str | re.Pattern[str]) -> None:
        """The page's heading says so, at once or soon."""
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(heading)

    def reads(self, text: str) -> None:
        """The text is on the page, at once or soon."""
        expect(self.page.locator("main")).to_contain_text(text)

    def waits_for_the_end(self) -> str:
        """Watch a run's page, without touching it, until the run has ended; how it ended."""
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_contain_text(ENDED, timeout=PATIENCE * 1000)
        found = ENDED.search(heading.inner_text())
        assert found
        return found[0]

    def _heard(self, message: ConsoleMessage) -> None:
        # That a document has a status of 400 or more is told there as well; of other files, see _answered.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in self._hosts:
            self.complaints.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.complaints.append(f"{response.status} for {response.url}")

    def _interrupted(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()
