"""Connections: one per company and workspace; a disconnected one keeps its row and loses its secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.errors import RefusedError
from connector.store import connections
from connector.store.connections import Connection
from connector.store.db import Database

from .builders import MINUTE, NOW, SECOND, a_connection, a_home, a_workspace


def get(database: Database, workspace_id: str, id_: str) -> Connection:
    with database.reading() as session:
        return connections.get(session, workspace_id, id_)


def add(database: Database, new: Connection) -> None:
    with database.transaction() as session:
        connections.add_or_revive(session, new)


def test_a_connection_comes_back_as_it_was_kept(database: Database) -> None:
    home = a_home(database)
    new = a_connection(home.workspace_id, company_id="biz_2", scopes=["a:read", "b:read"], expires_at=NOW)

    add(database, new)

    assert get(database, home.workspace_id, new.id) == new


def test_a_company_that_is_connected_already_is_refused(database: Database) -> None:
    home = a_home(database)

    with pytest.raises(RefusedError, match="connected to this workspace already") as caught:
        add(database, a_connection(home.workspace_id))

    assert caught.value.code == "connection_exists"
    assert home.connection_id in caught.value.remedy


def test_a_company_may_be_connected_to_two_workspaces(database: Database) -> None:
    one, two = a_home(database), a_home(database)

    assert get(database, two.workspace_id, two.connection_id).company_id == "biz_1"
    assert get(database, one.workspace_id, one.connection_id).company_id == "biz_1"


@pytest.mark.parametrize("status", ["revoked", "expired"])
def test_a_connection_that_ended_is_revived_in_its_own_row(database: Database, status: str) -> None:
    home = a_home(database)
    _mark(database, home.workspace_id, home.connection_id, status)

    add(database, a_connection(home.workspace_id, secret_sealed="v1:k1:new", created_at=NOW + MINUTE))

    found = get(database, home.workspace_id, home.connection_id)
    assert (found.status, found.secret_sealed, found.created_at) == ("active", "v1:k1:new", NOW)
    with database.reading() as session:
        assert len(connections.of_workspace(session, home.workspace_id)) == 1


def test_a_known_company_has_an_id_even_when_disconnected(database: Database) -> None:
    home = a_home(database)
    _mark(database, home.workspace_id, home.connection_id, "revoked")

    with database.reading() as session:
        assert connections.known_id(session, home.workspace_id, "biz_1") == home.connection_id
        assert connections.known_id(session, home.workspace_id, "biz_9") is None


def test_a_new_credential_replaces_the_old(database: Database) -> None:
    home = a_home(database)
    new: dict[str, Any] = {
        "secret_sealed": "v1:k2:new",
        "expires_at": NOW,
        "scopes": ["a"],
        "status": "active",
    }

    with database.transaction() as session:
        connections.keep_credential(session, home.workspace_id, home.connection_id, **new)

    found = get(database, home.workspace_id, home.connection_id)
    assert {name: getattr(found, name) for name in new} == new


def test_a_marked_connection_has_the_new_status(database: Database) -> None:
    home = a_home(database)

    _mark(database, home.workspace_id, home.connection_id, "expired")

    assert get(database, home.workspace_id, home.connection_id).status == "expired"


def test_a_disconnected_connection_has_no_secret_left(database: Database) -> None:
    home = a_home(database, refresh_sealed="v1:k1:refresh", auth="oauth")

    with database.transaction() as session:
        connections.disconnect(session, home.workspace_id, home.connection_id)

    found = get(database, home.workspace_id, home.connection_id)
    assert (found.status, found.secret_sealed, found.refresh_sealed) == ("revoked", None, None)


def test_the_last_good_sync_is_remembered(database: Database) -> None:
    home = a_home(database)

    with database.transaction() as session:
        connections.touch_synced(session, home.workspace_id, home.connection_id, NOW + SECOND)

    assert get(database, home.workspace_id, home.connection_id).last_sync_at == NOW + SECOND


def test_only_the_named_connection_is_changed(database: Database) -> None:
    home = a_home(database)
    other = a_connection(home.workspace_id, company_id="biz_2")
    add(database, other)

    with database.transaction() as session:
        connections.disconnect(session, home.workspace_id, home.connection_id)

    assert get(database, home.workspace_id, other.id) == other


def test_an_unknown_connection_is_refused(database: Database) -> None:
    home = a_home(database)

    with database.reading() as session:
        with pytest.raises(RefusedError, match="no connection 'nothing'"):
            connections.get(session, home.workspace_id, "nothing")
        with pytest.raises(RefusedError, match="no connection 'nothing'") as caught:
            connections.owner_of(session, "nothing")

    assert caught.value.code == "no_connection"


def test_a_workspaces_connections_come_oldest_first(database: Database) -> None:
    home = a_home(database, created_at=NOW)
    later = a_connection(home.workspace_id, company_id="biz_2", created_at=NOW + MINUTE)
    earlier = replace(later, id="earlier", company_id="biz_3", created_at=NOW - MINUTE)
    for one in (later, earlier):
        add(database, one)

    with database.reading() as session:
        found = [one.id for one in connections.of_workspace(session, home.workspace_id)]

    assert found == ["earlier", home.connection_id, later.id]


def test_a_connection_names_its_workspace_to_the_operator(database: Database) -> None:
    home = a_home(database, workspace=a_workspace(id="the-workspace"))

    with database.reading() as session:
        assert connections.owner_of(session, home.connection_id) == "the-workspace"


def _mark(database: Database, workspace_id: str, id_: str, status: str) -> None:
    with database.transaction() as session:
        connections.mark(session, workspace_id, id_, status)
