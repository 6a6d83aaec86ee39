"""Where a workspace's pages are: only ever an address of the server's own, and no guess."""

from __future__ import annotations

from typing import Any

import pytest
from twenty_builders import a_sandbox

from connector.crms.twenty import front

ONE = {"isMultiWorkspaceEnabled": False, "defaultSubdomain": "app", "frontDomain": "127.0.0.1"}
MANY = {"isMultiWorkspaceEnabled": True, "defaultSubdomain": "app", "frontDomain": "localhost"}


def test_a_server_of_one_workspace_has_its_pages_where_people_sign_in():
    with a_sandbox() as sandbox:
        assert front.find(sandbox.client) == sandbox.url
        sandbox.control("POST", "server", {"front_url": "https://crm.example.com"})

        assert front.find(sandbox.client) == "https://crm.example.com"


def test_a_workspace_of_many_has_a_host_of_its_own():
    with a_sandbox() as sandbox:
        change = {"multi_workspace": True, "front_url": "http://app.crm.example:3000"}
        sandbox.control("POST", "server", change)

        assert front.find(sandbox.client) == "http://acme.crm.example:3000"


@pytest.mark.parametrize("many", [True, False])
def test_an_older_server_that_tells_nothing_is_not_guessed_at(many: bool):
    with a_sandbox() as sandbox:
        sandbox.control("POST", "server", {"oauth": False, "multi_workspace": many})

        assert front.find(sandbox.client) == ""


def test_the_recorded_server_of_many_workspaces():
    assert (
        front.of_workspace(MANY, "http://app.localhost:3000/authorize", "acme")
        == "http://acme.localhost:3000"
    )


@pytest.mark.parametrize(
    ("config", "sign_in", "subdomain"),
    [
        (MANY, "", "acme"),
        (MANY, "http://app.localhost:3000/authorize", ""),
        (MANY, "http://app.localhost:3000/authorize", "evil.example/"),
        (MANY, "http://elsewhere.example/authorize", "acme"),
        ({**MANY, "frontDomain": "a b"}, "http://app.localhost/authorize", "acme"),
    ],
)
def test_what_does_not_fit_together_is_no_address(config: Any, sign_in: str, subdomain: str):
    assert front.of_workspace(config, sign_in, subdomain) == ""


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://crm.example.com/authorize?x=1", "https://crm.example.com"),
        ("http://127.0.0.1:3000/authorize", "http://127.0.0.1:3000"),
        ("http://[::1]:3000/a", "http://[::1]:3000"),
        ("javascript:alert(1)", ""),
        ("https://me:pw@crm.example.com", ""),
        ("https://[::1", ""),
        ("https://crm.example.com:99999999/", ""),
        ("", ""),
    ],
)
def test_only_addresses_of_the_web_have_an_origin(url: str, origin: str):
    assert front.origin(url) == origin
