"""What may stand in Twenty's place, and what may become of it: told on the page and in the log, nothing lost.

Each trouble comes before a run or in its middle. While it lasts the run waits, or ends where only a person
can help; when it is over the records are all there, each once.
"""

from __future__ import annotations

import html
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from scene import NOWHERE, PLURALS, Scene, Service, built, cap_batches, environment, hurried, served
from werkzeug.serving import make_server

from connector.sandbox.twenty.auth import Gate
from connector.store import operators, workspaces
from connector.store.runs import Run
from connector.sync import crm_keys, waiting
from connector.web import create_app, error_registry
from tests.certificates import expired

Trouble = Callable[[Scene, Path], AbstractContextManager[None]]
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """A CRM that takes 20 records a request."""
    with closing(built(environment(database_url, whop.url, NOWHERE))) as parts:
        scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 20)
        yield scene


# --- the troubles


@contextmanager
def moved(scene: Scene, url: str) -> Iterator[None]:
    """The CRM's address leads somewhere else meanwhile."""
    _move(scene, url)
    yield
    _move(scene, scene.twenty.url)


def _move(scene: Scene, url: str) -> None:
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        workspaces.move(session, scene.workspace.id, url)


def elsewhere(status: int, body: str, kind: str = "text/html", **headers: str) -> Trouble:
    """A web server that is no Twenty."""

    @contextmanager
    def trouble(scene: Scene, _folder: Path) -> Iterator[None]:
        app = Flask("elsewhere")
        answer = lambda _path: Response(body, status, headers, mimetype=kind)  # noqa: E731
        app.add_url_rule("/<path:_path>", "any", answer, methods=["GET", "POST", "PATCH"])
        with served(app) as service, moved(scene, service.url):
            yield

    return trouble


def nobody(scene: Scene, _folder: Path) -> AbstractContextManager[None]:
    return moved(scene, "http://127.0.0.1:1")


@contextmanager
def expired_certificate(scene: Scene, folder: Path) -> Iterator[None]:
    server = make_server("127.0.0.1", 0, scene.twenty.app, threaded=True, ssl_context=expired(folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with moved(scene, f"https://127.0.0.1:{server.server_port}"):
        yield
    server.shutdown()
    thread.join()
    server.server_close()


def dial(fault: dict[str, Any], match: str = " /graphql") -> Trouble:
    """Every request for records meets this."""

    @contextmanager
    def trouble(scene: Scene, _folder: Path) -> Iterator[None]:
        scene.twenty.dial(match, fault, times=None)
        yield
        scene.twenty.undial()

    return trouble


def without(what: str) -> Trouble:
    @contextmanager
    def trouble(scene: Scene, _folder: Path) -> Iterator[None]:
        scene.twenty.ask("POST", "/server", {"down": what})
        yield
        scene.twenty.ask("POST", "/server", {"down": None})

    return trouble


@contextmanager
def deleted(scene: Scene, _folder: Path) -> Iterator[None]:
    """The workspace is gone on the other side."""
    world = scene.twenty.app.extensions["twenty"]
    gate, world.gate = world.gate, Gate({}, world.secret, world.grants.epochs)
    yield
    world.gate = gate


#: Longer than a hurried connector waits.
SILENCE = {"delay": 1.0}
SITE = "<!doctype html><title>Welcome</title><p>A web site"
#: The trouble, and the code that page and log tell it by.
WAITED_OUT: dict[str, tuple[Trouble, str]] = {
    "nobody answers at the address": (nobody, "crm_unreachable"),
    "the address is a web site": (elsewhere(200, SITE), "crm_not_json"),
    "the address is a web site without such a page": (elsewhere(404, SITE), "crm_unavailable"),
    "the address is another service": (elsewhere(200, '{"ok": true}', "application/json"), "crm_unavailable"),
    "the address leads on to another": (elsewhere(302, "", Location="https://x.example"), "crm_not_json"),
    "the certificate has expired": (expired_certificate, "crm_certificate"),
    "pages in place of answers": (dial({"status": 200, "body": SITE}), "crm_not_json"),
    "a gateway's page": (dial({"status": 502, "body": SITE}), "crm_unavailable"),
    "text with status 500": (dial({"status": 500, "body": "Internal server error"}), "crm_unavailable"),
    "answers that end in their middle": (dial({"truncate": 20}), "crm_unreachable"),
    "no answer at all": (dial(SILENCE), "crm_unreachable"),
    "connections that are cut": (dial({"cut": "before"}), "crm_unreachable"),
    "a server without its database": (without("database"), "crm_unavailable"),
    "a server without its Redis": (without("redis"), "crm_unreachable"),
}
_NO_WORKSPACE = '{"statusCode": 500, "messages": ["No data sources found"], "error": "INTERNAL_SERVER_ERROR"}'
#: A workspace that is gone on the other side, as a server may put it.
DELETED: dict[str, tuple[Trouble, str]] = {
    "its keys open nothing": (deleted, "crm_credential"),
    "it is said not to be there": (dial({"status": 500, "body": _NO_WORKSPACE}, " /"), "crm_workspace_gone"),
}
AT = ("before the run", "in its middle")


# --- what becomes of the run


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", WAITED_OUT)
def test_a_trouble_is_told_and_waited_out(
    scene: Scene, tmp_path: Path, said: list[MutableMapping[str, Any]], name: str, at: str
) -> None:
    trouble, code = WAITED_OUT[name]
    run_id = begun(scene, at)

    with trouble(scene, tmp_path):
        if name == "no answer at all":
            with hurried(scene.parts) as hurry:
                run = scene.advance(run_id, tools=hurry(scene.tools))
        else:
            run = scene.advance(run_id)
        assert run.status == "running"
        assert (run.error or {})["code"] == code
        assert waiting.side_in_trouble(run) == "crm"
        is_told(scene, run, said)

    is_whole(scene, scene.go_on(run_id))


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", DELETED)
def test_a_workspace_that_was_deleted_holds_the_run_and_says_so(
    scene: Scene, tmp_path: Path, said: list[MutableMapping[str, Any]], name: str, at: str
) -> None:
    trouble, code = DELETED[name]
    run_id = begun(scene, at)

    with trouble(scene, tmp_path):
        run = scene.advance(run_id)
        assert run.status == "paused"
        assert (run.error or {})["code"] == code
        is_told(scene, run, said)

    assert scene.workspace is not None
    crm_keys.check(scene.tools, scene.workspace)  # *Check now* on the page

    is_whole(scene, scene.go_on(run_id))


def begun(scene: Scene, at: str) -> str:
    """A run that has not begun, or that has written some of its records."""
    run_id = scene.start()
    if at == "in its middle":
        scene.twenty.dial("createPeople", {"cut": "before"}, skip=1, times=1)
        scene.advance(run_id)
        scene.clock.now = max(scene.clock.now, scene.run(run_id).due_at)
        assert scene.rows("people")
        assert len(scene.rows("people")) < 38
    return run_id


def is_whole(scene: Scene, run: Run) -> None:
    """Every record is there once."""
    assert run.status == "success"
    assert run.error is None
    assert [len(scene.rows(plural)) for plural in PLURALS] == [5, 38, 59]
    told = [(entry.kind, entry.source_id) for entry in scene.log(run)]
    assert len(told) == len(set(told))
    objects = ("whopProduct", "person", "opportunity")
    assert [run.counts[name]["created"] for name in objects] == [5, 38, 59]


def is_told(scene: Scene, run: Run, said: list[MutableMapping[str, Any]]) -> None:
    """The page says what it is and what to do, the log its code, and neither holds a key."""
    error = run.error or {}
    known = error_registry.entries()[error["code"]]
    page = shown(scene, f"/runs/{run.id}")
    assert known.title in page
    assert known.meaning in page or (error["message"] in page and known.todo in page)
    lines = [line for line in said if error["code"] in line.values()]
    assert lines
    for text in (page, *(str(line) for line in said)):
        assert scene.crm_key not in text
        assert scene.whop_key not in text


def shown(scene: Scene, path: str) -> str:
    """A page as somebody who is signed in sees it, its marks undone."""
    base = scene.parts.settings.public_url
    answer = signed_in(scene).get(path, base_url=base, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    return html.unescape(answer.text)


def signed_in(scene: Scene) -> FlaskClient:
    token, now = secrets.token_urlsafe(32), scene.parts.tools.clock()
    with scene.parts.database.transaction() as session:
        one = operators.add(session, str(uuid.uuid4()), "marta", now)
        operators.keep_link(session, one.id, token, now)
    browser = create_app(scene.parts).test_client()
    base = scene.parts.settings.public_url
    found = _CSRF.search(browser.get(f"/sign-in/{token}", base_url=base).text)
    assert found
    headers = {"Referer": f"{base}/sign-in/{token}"}
    browser.post(f"/sign-in/{token}", base_url=base, data={"csrf_token": found[1]}, headers=headers)
    return browser
