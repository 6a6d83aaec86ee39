"""What Whop is asked about webhooks, and where it can deliver to."""

from __future__ import annotations

import pytest

from connector.sources.whop.budgeted import operation
from connector.sources.whop.hooking import reaches

WHOP = "https://api.whop.com/api/v1"


@pytest.mark.parametrize(
    "url", ["https://connector.example.com", "https://203.0.114.9", "https://a.b.co:8443"]
)
def test_a_public_https_address_is_within_reach(url: str) -> None:
    assert reaches(url, WHOP)


@pytest.mark.parametrize(
    "url",
    [
        "http://connector.example.com",
        "https://localhost",
        "https://127.0.0.1",
        "https://10.0.0.7",
        "https://[::1]",
        "https://connector",
        "https://connector.internal",
        "https://printer.local",
    ],
)
def test_nothing_else_is(url: str) -> None:
    assert not reaches(url, WHOP)


def test_a_whop_of_this_machine_reaches_what_is_on_it() -> None:
    assert reaches("http://127.0.0.1:8080", "http://127.0.0.1:9090/api/v1")


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/webhooks", "GET /webhooks"),
        ("PATCH", "/webhooks/hook_1", "PATCH /webhooks/{id}"),
        ("POST", "/webhooks/hook_1/replay", "POST /webhooks/{id}/replay"),
        (
            "POST",
            "/webhooks/hook_1/deliveries/whdel_1/replay",
            "POST /webhooks/{id}/deliveries/{id}/replay",
        ),
        ("GET", "/accounts/me", "GET /accounts/me"),
    ],
)
def test_requests_are_counted_without_the_ids_in_them(method: str, path: str, counted: str) -> None:
    assert operation(method, path) == counted
