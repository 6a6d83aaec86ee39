"""Workspaces: one per name and CRM workspace, found by id or name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.errors import RefusedError
from connector.store import workspaces
from connector.store.db import Database
from connector.store.workspaces import Workspace

from .builders import NOW, a_workspace


def add(database: Database, workspace: Workspace) -> Workspace:
    with database.transaction() as session:
        workspaces.add(session, workspace)
    return workspace


def get(database: Database, id_: str) -> Workspace:
    with database.reading() as session:
        return workspaces.get(session, id_)


def test_a_workspace_comes_back_as_it_was_kept(database: Database) -> None:
    new = add(database, a_workspace(schema_version=7, batch_cap=60))

    assert get(database, new.id) == new


def test_a_workspace_is_found_by_its_name_or_its_id(database: Database) -> None:
    new = add(database, a_workspace(name="Acme"))

    with database.reading() as session:
        assert workspaces.named(session, "Acme") == new
        assert workspaces.named(session, new.id) == new


def test_an_unknown_workspace_is_refused(database: Database) -> None:
    with database.reading() as session:
        with pytest.raises(RefusedError, match="no workspace 'nobody'") as by_id:
            workspaces.get(session, "nobody")
        with pytest.raises(RefusedError, match="no workspace 'nobody'"):
            workspaces.named(session, "nobody")

    assert by_id.value.code == "no_workspace"


def test_all_workspaces_come_sorted_by_name(database: Database) -> None:
    for name in ("Beta", "Alpha", "Gamma"):
        add(database, a_workspace(name=name))

    with database.reading() as session:
        assert [one.name for one in workspaces.every(session)] == ["Alpha", "Beta", "Gamma"]


def test_a_second_workspace_of_the_same_name_is_refused(database: Database) -> None:
    add(database, a_workspace(name="Acme"))

    with pytest.raises(RefusedError, match="'Acme' is there already") as caught:
        add(database, a_workspace(name="Acme"))

    assert caught.value.code == "workspace_exists"


def test_a_second_workspace_for_the_same_crm_is_refused(database: Database) -> None:
    add(database, a_workspace(name="Acme", crm_workspace_id="crm-1"))

    with pytest.raises(RefusedError, match="'Acme' is there already"):
        add(database, a_workspace(name="Other", crm_workspace_id="crm-1"))


def test_the_same_crm_id_on_another_server_is_another_workspace(database: Database) -> None:
    add(database, a_workspace(crm_workspace_id="crm-1", crm_url="https://one.example.com"))
    other = add(database, a_workspace(crm_workspace_id="crm-1", crm_url="https://two.example.com"))

    assert get(database, other.id) == other


def test_a_moved_workspace_has_the_new_address(database: Database) -> None:
    new, other = add(database, a_workspace()), add(database, a_workspace())

    with database.transaction() as session:
        workspaces.move(session, new.id, "https://new.example.com")

    assert get(database, new.id).crm_url == "https://new.example.com"
    assert get(database, other.id) == other


def test_what_is_learned_of_the_crm_is_remembered(database: Database) -> None:
    new = add(database, a_workspace())

    with database.transaction() as session:
        workspaces.remember_crm(session, new.id, schema_version=3)
        workspaces.remember_batch(session, new.id, 20, NOW)
        workspaces.remember_crm(session, new.id)

    found = get(database, new.id)
    assert (found.schema_version, found.batch_cap) == (3, 20)


def test_a_batch_size_is_believed_for_a_day(database: Database) -> None:
    new = add(database, a_workspace())
    assert new.batch_known(NOW) is None

    with database.transaction() as session:
        workspaces.remember_batch(session, new.id, 60, NOW)

    found = get(database, new.id)
    assert found.batch_known(NOW + timedelta(hours=23)) == 60
    assert found.batch_known(NOW + timedelta(hours=24)) is None
