"""A workspace's own mapping files: changes, which are in force, and the sets that runs map by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.errors import RefusedError
from connector.store import mappings, workspaces
from connector.store.db import Database
from connector.store.mappings import NewChange

from .builders import MINUTE, NOW, a_home
from .racing import race

FIRST = NewChange("member.yaml", "own", "one", "v1", "Marta", "edited", None)


def test_changes_are_counted_over_all_files_of_a_workspace(database: Database) -> None:
    home = a_home(database)
    with database.transaction() as session:
        assert mappings.add(session, home.workspace_id, FIRST, NOW) == 1
        assert mappings.add(session, home.workspace_id, replace(FIRST, file="product.yaml", base=1), NOW) == 2
        again = replace(FIRST, text="two", base=2)
        assert mappings.add(session, home.workspace_id, again, NOW + MINUTE) == 3

    with database.reading() as session:
        assert workspaces.get(session, home.workspace_id).mapping_change == 3
        found = mappings.history(session, home.workspace_id, "member.yaml")
        assert [(one.number, one.previous, one.text, one.who) for one in found] == [
            (3, 1, "two", "Marta"),
            (1, None, "one", "Marta"),
        ]
        assert found[0].created_at == NOW + MINUTE
        latest = mappings.latest(session, home.workspace_id)
        assert {name: one.number for name, one in latest.items()} == {"member.yaml": 3, "product.yaml": 2}


def test_what_is_in_force_is_known_of_every_change(database: Database) -> None:
    home = a_home(database)
    steps = [
        FIRST,
        replace(FIRST, text="two", base=1),
        replace(FIRST, file="product.yaml", state="off", text=None, base=2),
        replace(FIRST, state="shipped", text=None, base=3),
    ]
    with database.transaction() as session:
        for step in steps:
            mappings.add(session, home.workspace_id, step, NOW)
        found = [mappings.own(session, home.workspace_id, number) for number in (None, 1, 2, 3, 4)]

    assert found == [
        {},
        {"member.yaml": "one"},
        {"member.yaml": "two"},
        {"member.yaml": "two", "product.yaml": None},
        {"product.yaml": None},
    ]


def test_who_saw_an_older_change_is_refused_and_saves_nothing(database: Database) -> None:
    home = a_home(database)
    with database.transaction() as session:
        mappings.add(session, home.workspace_id, FIRST, NOW)

    for base in (None, 2, 7):
        with pytest.raises(RefusedError) as raised, database.transaction() as session:
            mappings.add(session, home.workspace_id, replace(FIRST, text="mine", base=base), NOW)
        assert raised.value.code == "mapping_moved"

    with database.reading() as session:
        assert [one.text for one in mappings.history(session, home.workspace_id, "member.yaml")] == ["one"]


def test_of_two_who_save_at_once_one_is_told(database: Database) -> None:
    home = a_home(database)

    def save(who: str) -> str:
        try:
            with database.transaction() as session:
                mappings.add(session, home.workspace_id, replace(FIRST, who=who), NOW)
        except RefusedError as error:
            return error.code
        return "saved"

    assert sorted(race(lambda: save("Marta"), lambda: save("Ben"))) == ["mapping_moved", "saved"]
    with database.reading() as session:
        assert len(mappings.history(session, home.workspace_id, "member.yaml")) == 1


def test_a_set_is_kept_once_and_found_by_its_hash(database: Database) -> None:
    home = a_home(database)
    with database.transaction() as session:
        mappings.keep_set(session, home.workspace_id, "v1", {"a.yaml": "x"}, NOW)
        mappings.keep_set(session, home.workspace_id, "v1", {"a.yaml": "something else"}, NOW)

    with database.reading() as session:
        assert mappings.kept_set(session, home.workspace_id, "v1") == {"a.yaml": "x"}
        assert mappings.kept_set(session, home.workspace_id, "v2") is None


def test_an_unknown_change_is_refused(database: Database) -> None:
    home = a_home(database)
    with pytest.raises(RefusedError) as raised, database.reading() as session:
        mappings.get(session, home.workspace_id, 1)
    assert raised.value.code == "no_mapping_change"
