"""What may become of the sign-in by which a sync writes: renewed unseen, or told and waited for.

As in ``test_bad_input`` each trouble comes before a run or in its middle; when somebody has signed in again
the records are all there, each once.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from scene import NOWHERE, Scene, Service, built, cap_batches, environment
from test_bad_input import AT, begun, is_told, is_whole

from connector.store.answers import digest
from connector.sync import crm_access, crm_keys
from connector.sync.crm_access import Beginner
from tests.twenty_consent import decide, turn

ADMIN, OTHER = "admin@acme.test", "second@acme.test"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """An admin has signed in, and there is no API key."""
    with closing(built(environment(database_url, whop.url, NOWHERE))) as parts:
        scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 20)
        turn(twenty.app, "users", do="add", email=OTHER, role="admin")
        sign_in(scene, ADMIN)
        assert scene.workspace is not None
        crm_keys.remove_key(scene.tools, scene.workspace.id)
        yield scene


def sign_in(scene: Scene, email: str) -> None:
    """At the CRM's page, as in a browser."""
    desk, mark = scene.parts.crm_desk, digest("a browser")
    going = crm_access.begin(desk, scene.twenty.url, Beginner(mark), onward="/")
    back = parse_qs(urlsplit(decide(scene.twenty.app, going.url, email)).query)
    crm_access.complete(
        desk, mark, state=back["state"][0], code=back["code"][0], also=lambda _session, _entered: None
    )


def lose_person(scene: Scene) -> None:
    turn(scene.twenty.app, "users", do="remove", email=ADMIN)


def lose_role(scene: Scene) -> None:
    turn(scene.twenty.app, "users", do="role", email=ADMIN, role="reader")


def lose_grant(scene: Scene) -> None:
    turn(scene.twenty.app, "oauth", do="expire_access")
    turn(scene.twenty.app, "oauth", do="expire_refresh")


def lose_registration(scene: Scene) -> None:
    turn(scene.twenty.app, "oauth", do="expire_access")
    turn(scene.twenty.app, "oauth", do="forget_clients")


LOST = {
    "the person was removed": (lose_person, "crm_person_gone"),
    "the person may not write any more": (lose_role, "crm_permission"),
    "the renewal is refused": (lose_grant, "crm_grant"),
    "the server has forgotten the connector": (lose_registration, "crm_grant"),
}


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", LOST)
def test_a_sign_in_that_is_over_is_told_and_the_next_one_goes_on(
    scene: Scene, said: list[MutableMapping[str, Any]], name: str, at: str
) -> None:
    lose, code = LOST[name]
    run_id = begun(scene, at)

    lose(scene)
    run = scene.advance(run_id)

    assert run.status == "paused"
    assert (run.error or {})["code"] == code
    is_told(scene, run, said)

    sign_in(scene, OTHER)

    is_whole(scene, scene.go_on(run_id))


@pytest.mark.parametrize("at", AT)
def test_a_token_that_ends_under_way_is_renewed_unseen(scene: Scene, at: str) -> None:
    run_id = begun(scene, at)
    turn(scene.twenty.app, "oauth", do="expire_access")

    run = scene.go_on(run_id)

    is_whole(scene, run)


def test_what_a_person_writes_looks_typed_by_them(scene: Scene) -> None:
    scene.sync()

    assert {row["createdBy"]["source"] for row in scene.rows("people")} == {"MANUAL"}
