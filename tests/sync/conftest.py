"""Servers and databases of a sync. What a test changes in them it says itself."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import closing
from typing import Any

import pytest
from scene import NOWHERE, Scene, Service, built, environment, twenty_served, whop_served
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served() as service:
        yield service


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def unconnected(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """Both services and an empty installation."""
    with closing(built(environment(database_url, whop.url, NOWHERE))) as parts:
        yield Scene(whop, twenty, parts)


@pytest.fixture
def scene(unconnected: Scene) -> Scene:
    """The company is connected, the CRM prepared, nothing synced yet."""
    return unconnected.connect()
