"""`flask workspace key` and `list`: which credential writes, for whoever has no browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.bootstrap import Parts
from connector.cli.workspaces import workspace_group
from connector.sandbox.twenty import api_keys
from connector.store import admins, crm_grants, workspaces
from connector.store.crm_grants import CrmGrant
from connector.store.workspaces import Workspace
from connector.sync import onboarding
from tests.sync.scene import NOON, Service, built, environment, twenty_served


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def env(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return environment(database_url, "http://127.0.0.1:9", "unix:///nowhere/redis.sock")


@pytest.fixture
def parts(env: dict[str, str]) -> Iterator[Parts]:
    with closing(built(env)) as parts:
        yield parts


@pytest.fixture
def acme(parts: Parts, twenty: Service) -> Workspace:
    new = onboarding.NewWorkspace("acme", twenty.url, api_keys(twenty.app)[0])
    return onboarding.add_workspace(parts.database, parts.vault, new, check_key=parts.check_crm_key, now=NOON)


def run(env: dict[str, str], *words: str, given: str = "") -> Result:
    return CliRunner().invoke(workspace_group, [*words], env=env, input=given)


def writes(env: dict[str, str]) -> Any:
    (one,) = json.loads(run(env, "list", "--json").stdout)
    return one["writes_with"]


def signed_in(parts: Parts, acme: Workspace) -> None:
    with parts.database.transaction() as session:
        one = admins.vouched(session, acme.id, "u", name="Marta", email="", now=NOON)
        later = NOON + timedelta(minutes=30)
        crm_grants.keep(session, CrmGrant(one.id, acme.id, "https://t", "c", "a", "r", later, NOON))


def test_the_list_says_what_writes(env: dict[str, str], parts: Parts, acme: Workspace) -> None:
    by_key = writes(env)
    with parts.database.transaction() as session:
        workspaces.remove_key(session, acme.id)
    by_nobody = writes(env)
    signed_in(parts, acme)
    by_person = writes(env)
    with parts.database.transaction() as session:
        workspaces.refuse(session, acme.id, {"code": "crm_credential"})

    assert by_key == "an API key"
    assert by_nobody == "nothing: nobody is signed in"
    assert by_person == "the sign-in of Marta"
    assert writes(env) == "the sign-in of Marta, refused by the CRM"


def test_a_key_is_given_by_standard_input_and_checked(
    env: dict[str, str], parts: Parts, acme: Workspace, twenty: Service
) -> None:
    with parts.database.transaction() as session:
        workspaces.remove_key(session, acme.id)
        workspaces.refuse(session, acme.id, {"code": "crm_credential"})
    new = twenty.ask("POST", "/keys", {"do": "new"})["key"]

    done = run(env, "key", "acme", "--crm-api-key-file", "-", given=f"{new}\n")

    assert done.exit_code == 0, done.output
    assert "acme writes with this key from now on." in done.output
    assert new not in done.output
    assert writes(env) == "an API key"


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [("nonsense", 4, "not an API key of Twenty"), ("", 2, "nothing was given")],
)
def test_a_key_that_will_not_do_leaves_the_old_one(
    env: dict[str, str], parts: Parts, acme: Workspace, given: str, code: int, words: str
) -> None:
    done = run(env, "key", "acme", "--crm-api-key-file", "-", given=given)

    assert done.exit_code == code
    assert words in done.output
    with parts.database.reading() as session:
        assert workspaces.get(session, acme.id).crm_key_sealed == acme.crm_key_sealed


def test_a_workspace_is_kept_under_the_origin_that_its_server_names(parts: Parts, twenty: Service) -> None:
    key = api_keys(twenty.app)[0]
    new = onboarding.NewWorkspace("acme", f"{twenty.url}/objects/people?x=1", key)

    made = onboarding.add_workspace(parts.database, parts.vault, new, check_key=parts.check_crm_key, now=NOON)

    assert made.crm_url == twenty.url
