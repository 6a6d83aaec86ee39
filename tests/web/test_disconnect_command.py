"""`flask connection disconnect`: what the page does, with the number said on the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.connections import connection_group
from connector.store import connections, runs
from connector.store.runs import Run
from tests.sync.scene import Scene, Service, built, environment, twenty_served, whop_served


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=3, memberships=3, products=2) as service:
        yield service


class Machine:
    """A company that was synced, and the command on the machine."""

    def __init__(self, scene: Scene, env: dict[str, str]) -> None:
        self.scene, self._env = scene, env
        assert scene.connection is not None
        self.id, self.workspace_id = scene.connection.id, scene.connection.workspace_id

    def disconnect(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(
            connection_group, ["disconnect", self.id, *words], env=self._env, input=typed
        )

    @property
    def status(self) -> str:
        with self.scene.parts.database.reading() as session:
            return connections.get(session, self.workspace_id, self.id).status

    @property
    def latest(self) -> Run:
        with self.scene.parts.database.reading() as session:
            return runs.of_workspace(session, self.workspace_id, limit=1)[0]


@pytest.fixture
def machine(
    database_url: str, whop: Service, twenty: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Machine]:
    env = environment(database_url, whop.url, "unix:///nowhere/redis.sock")
    monkeypatch.chdir(tmp_path)
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        assert scene.sync().status == "success"
        yield Machine(scene, env)


def made_by_us(machine: Machine) -> int:
    plurals = ("whopProducts", "people", "opportunities")
    return sum(len(machine.scene.rows(plural)) for plural in plurals)


def test_keeping_asks_nothing_and_starts_no_run(machine: Machine) -> None:
    before = machine.latest.id

    said = machine.disconnect()

    assert said.exit_code == 0, said.output
    assert "is disconnected" in said.output
    assert (machine.status, machine.latest.id) == ("revoked", before)


def test_deleting_asks_for_the_number_and_starts_a_run(machine: Machine) -> None:
    number = made_by_us(machine)

    said = machine.disconnect("--records", "delete", typed=f"{number}\n")

    assert said.exit_code == 0, said.output
    assert f"{number} records. Type that number to delete them" in said.output
    assert machine.latest.id in said.output
    assert machine.scene.go_on(machine.latest.id).status == "success"
    assert all(row["deletedAt"] for row in machine.scene.rows("people"))


def test_marking_takes_the_number_as_an_option(machine: Machine) -> None:
    marked = len(machine.scene.rows("opportunities"))

    said = machine.disconnect("--records", "mark", "--number", str(marked), "--json")

    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["run"] == machine.latest.id
    assert machine.latest.type == "undo"


@pytest.mark.parametrize("number", ["0", "1", "99999"])
def test_another_number_does_nothing(machine: Machine, number: str) -> None:
    before = machine.latest.id

    said = machine.disconnect("--records", "delete", "--number", number)

    assert said.exit_code != 0
    assert "Nothing was done" in f"{said.output}{said.exception}"
    assert (machine.status, machine.latest.id) == ("active", before)


def test_a_choice_that_there_is_none_of_is_refused(machine: Machine) -> None:
    said = machine.disconnect("--records", "burn")

    assert said.exit_code == 2
    assert "keep" in said.output
    assert machine.status == "active"
