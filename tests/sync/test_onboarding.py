"""Connecting: everything outside is checked first, and what does not hold leaves no row behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask, Response
from scene import PLURALS, Scene, built, disconnect, environment, served
from sqlalchemy import select

from connector.errors import (
    AddressError,
    ConnectorError,
    ReconnectError,
    RefusedError,
    TryLaterError,
    VaultError,
)
from connector.store import connections, overview
from connector.store.db import Database, metadata
from connector.sync.onboarding import crm_key_binding, origin, secret_binding


@pytest.fixture
def backend() -> str:
    return "sqlite"


def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every table as text; tables without rows are left out."""
    with database.reading() as session:
        rows = {
            table.name: [str(tuple(row)) for row in session.execute(select(table))]
            for table in metadata.sorted_tables
        }
    return {name: found for name, found in rows.items() if found}


def told(error: ConnectorError) -> str:
    """A sentence for an admin: it says something, ends, and holds no Python."""
    text = str(error)
    assert len(text) > 20
    assert text[-1] in '.)"' or error.remedy, text
    assert "Traceback" not in text
    assert "object at 0x" not in text
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """A web server that is no Twenty; its answer is the parameter."""
    status, body, kind = request.param
    app = Flask("elsewhere")
    app.add_url_rule(
        "/<path:_path>", "any", lambda _path: Response(body, status, mimetype=kind), methods=["GET", "POST"]
    )
    with served(app) as service:
        yield service.url


def test_an_unreachable_crm_is_told_and_nothing_kept(unconnected: Scene) -> None:
    with pytest.raises(TryLaterError, match="nothing answers at that address") as caught:
        unconnected.add_workspace(url=f"http://127.0.0.1:{free_port()}")

    assert told(caught.value)
    assert dump(unconnected.parts.database) == {}


@pytest.mark.parametrize("key", ["wrong", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.x"])
def test_what_is_no_crm_key_is_told_and_nothing_kept(unconnected: Scene, key: str) -> None:
    with pytest.raises(RefusedError, match="not an API key of Twenty") as caught:
        unconnected.add_workspace(key=key)

    assert key not in told(caught.value)
    assert dump(unconnected.parts.database) == {}


def test_a_wrong_crm_key_is_told_and_nothing_kept(unconnected: Scene) -> None:
    key = f"{unconnected.crm_key[:-4]}AAAA"

    with pytest.raises(ReconnectError, match="does not accept") as caught:
        unconnected.add_workspace(key=key)

    assert key not in told(caught.value)
    assert dump(unconnected.parts.database) == {}


def test_a_crm_key_that_may_only_read_is_told_what_it_lacks(unconnected: Scene) -> None:
    reader = unconnected.twenty.ask("POST", "/keys", {"do": "new", "role": "read_only"})["key"]

    with pytest.raises(RefusedError, match="may not: write people, write opportunities"):
        unconnected.add_workspace(key=reader)

    assert dump(unconnected.parts.database) == {}


NOT_TWENTY = {
    "a page": (200, "<html><h1>Welcome</h1></html>", "text/html"),
    "a page with 404": (404, "<html><h1>Not here</h1></html>", "text/html"),
    "other JSON": (200, '{"hello": "world"}', "application/json"),
    "a JSON list": (200, "[1, 2]", "application/json"),
    "JSON with 404": (404, '{"detail": "Not Found"}', "application/json"),
}


@pytest.mark.parametrize("elsewhere", NOT_TWENTY.values(), ids=NOT_TWENTY.keys(), indirect=True)
def test_an_address_that_is_no_twenty_is_told(unconnected: Scene, elsewhere: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        unconnected.add_workspace(url=elsewhere)

    assert told(caught.value)
    assert dump(unconnected.parts.database) == {}


@pytest.mark.parametrize(
    "address", ["http://10.0.0.5", "http://169.254.169.254", "http://127.0.0.1:9", "http://[::1]:80"]
)
def test_a_private_address_is_refused(unconnected: Scene, database_url: str, address: str) -> None:
    env = environment(database_url, unconnected.whop.url, "unix:///x", ALLOWED_PRIVATE_HOSTS="")
    with closing(built(env)) as parts:
        scene = Scene(unconnected.whop, unconnected.twenty, parts)

        with pytest.raises(AddressError) as caught:
            scene.add_workspace(url=address, key=unconnected.crm_key)

    assert told(caught.value)
    assert "ALLOWED_PRIVATE_HOSTS" in caught.value.remedy
    assert dump(unconnected.parts.database) == {}


@pytest.mark.parametrize(
    "typed",
    ["", "ftp://crm.example.com", "https://me:secret@crm.example.com", "https://", "https://[::1", "a b"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(AddressError) as caught:
        origin(typed)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("crm.example.com", "https://crm.example.com"),
        (" https://CRM.Example.com/objects/people?x=1 ", "https://crm.example.com"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        ("HTTPS://crm.example.com", "https://crm.example.com"),
    ],
)
def test_an_address_is_kept_as_its_origin(typed: str, kept: str) -> None:
    assert origin(typed) == kept


def test_the_same_crm_workspace_twice_is_refused(unconnected: Scene) -> None:
    unconnected.add_workspace("first")

    with pytest.raises(RefusedError, match="is there already"):
        unconnected.add_workspace("second")

    assert len(dump(unconnected.parts.database)["workspace"]) == 1


def test_a_wrong_whop_key_is_told_and_nothing_kept(unconnected: Scene) -> None:
    workspace = unconnected.add_workspace()

    with pytest.raises(ReconnectError, match="does not accept this API key") as caught:
        unconnected.add_connection(workspace, key="apik_wrong")

    assert "apik_wrong" not in told(caught.value)
    assert set(dump(unconnected.parts.database)) == {"workspace"}


def test_the_key_of_another_company_is_refused(unconnected: Scene) -> None:
    workspace = unconnected.add_workspace()

    with pytest.raises(RefusedError, match="biz_another") as caught:
        unconnected.add_connection(workspace, company="biz_another")

    assert unconnected.company in told(caught.value)
    assert set(dump(unconnected.parts.database)) == {"workspace"}


def test_the_same_company_twice_is_refused(scene: Scene) -> None:
    assert scene.workspace is not None

    with pytest.raises(RefusedError, match="connected to this workspace already"):
        scene.add_connection(scene.workspace)

    assert len(dump(scene.parts.database)["connection"]) == 1


def test_a_disconnected_company_comes_back_with_its_links(scene: Scene) -> None:
    assert scene.workspace is not None
    assert scene.connection is not None
    scene.sync()
    before = {plural: scene.rows(plural) for plural in PLURALS}
    disconnect(scene)

    again = scene.add_connection(scene.workspace)
    (run_id,) = under_way(scene)
    run = scene.go_on(run_id)

    assert run.why == "After reconnect"
    assert again.id == scene.connection.id
    assert {plural: scene.rows(plural) for plural in PLURALS} == before
    assert {result for of in run.counts.values() for result in of} == {"unchanged", "skipped"}


def under_way(scene: Scene) -> list[str]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return [one.id for one in overview.active_runs(session, scene.workspace.id).values()]


def test_a_disconnected_company_is_not_synced(scene: Scene) -> None:
    disconnect(scene)

    with pytest.raises(RefusedError, match="is revoked"):
        scene.start()


def test_a_company_disconnected_during_its_run_ends_the_run(scene: Scene) -> None:
    run_id = scene.start()
    disconnect(scene)

    run = scene.advance(run_id)

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "whop_disconnected"
    with scene.parts.database.reading() as session:
        assert connections.get(session, run.workspace_id, run.connection_id).status == "revoked"


def test_keys_lie_sealed_in_the_database(scene: Scene) -> None:
    scene.sync()

    everything = str(dump(scene.parts.database))

    assert scene.whop_key not in everything
    assert scene.crm_key not in everything


def test_a_sealed_key_opens_under_its_own_row_alone(scene: Scene) -> None:
    workspace, connection = scene.workspace, scene.connection
    assert workspace is not None
    assert connection is not None
    vault: Any = scene.parts.vault
    own, sealed = secret_binding(workspace.id, connection.id), connection.secret_sealed

    assert vault.open(sealed, bound_to=own) == scene.whop_key
    assert vault.open(workspace.crm_key_sealed, bound_to=crm_key_binding(workspace.id)) == scene.crm_key
    for other in (secret_binding(workspace.id, "another"), crm_key_binding(workspace.id)):
        with pytest.raises(VaultError):
            vault.open(sealed, bound_to=other)
