"""`flask connection add`: what the page does when a key is pasted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.connections import connection_group
from tests.sync.scene import NOWHERE, Scene, Service, built, environment, twenty_served, whop_served


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=3, memberships=3) as service:
        yield service


@pytest.fixture
def adding(database_url: str, whop: Service, twenty: Service, tmp_path: Path) -> Callable[..., Result]:
    """The command, for a workspace that has no company yet."""
    env = environment(database_url, whop.url, NOWHERE)
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts)
        scene.add_workspace()
        key = tmp_path / "key"
        key.write_text(scene.whop_key, encoding="utf-8")
        said = ("add", "acme", "--company", scene.company, "--whop-api-key-file", str(key))
    return lambda *more: CliRunner().invoke(connection_group, [*said, *more], env=env, catch_exceptions=False)


def test_a_key_that_lacks_what_a_mapping_needs_is_told_with_what_it_disables(
    adding: Callable[..., Result], whop: Service
) -> None:
    """The shipped mappings bring over no plans: that the key may not see them is nobody's loss."""
    may = ["company:basic:read", "access_pass:basic:read", "member:basic:read", "member:email:read"]
    may += ["payment:basic:read", "payment:dispute:read"]
    whop.ask("POST", "/keys", {"do": "restrict", "permissions": may})

    done = adding()

    assert done.exit_code == 0, done.output
    assert "lacks member:phone:read. Phone numbers in Twenty stay as they are." in done.output
    assert "plan:basic:read" not in done.output


def test_what_is_missing_is_data_too(adding: Callable[..., Result]) -> None:
    done = adding("--json")

    assert json.loads(done.stdout)["missing"] == []
