"""The site that the tests of connecting stand on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.sync.scene import Clock, RecordingBell, Service, built, environment, twenty_served, whop_served
from tests.web.site_of import CLIENT, Browser, Site, a_workspace, application


@pytest.fixture(scope="module")
def whop_service() -> Iterator[Service]:
    with whop_served(members=5, memberships=5, companies=2) as service:
        yield service


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def site(
    request: pytest.FixtureRequest, database_url: str, whop_service: Service, twenty: Service
) -> Iterator[Site]:
    env = environment(
        database_url,
        whop_service.url,
        "unix:///nowhere/redis.sock",
        **{
            "WHOP_OAUTH_URL": f"{whop_service.url}/oauth",
            "WHOP_AUTH_URL": f"{whop_service.url}/oauth/authorize",
            "WHOP_CLIENT_ID": CLIENT,
            **getattr(request, "param", {}),
        },
    )
    clock, bell = Clock(), RecordingBell()
    with closing(built(env)) as plain:
        tools = replace(plain.tools, clock=clock, queue=bell)
        openers = replace(plain.openers, pause=lambda seconds: time.sleep(seconds / 10))
        parts = replace(plain, tools=tools, desk=replace(plain.desk, clock=clock), openers=openers)
        yield Site(application(parts), parts, whop_service, twenty, a_workspace(parts, twenty), clock, bell)
    whop_service.undial()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()
