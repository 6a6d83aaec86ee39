"""Is the process alive, and can it do its work: for supervisors and load balancers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from connector.bootstrap import Parts
from connector.jobqueue import QueueUnavailable
from connector.store import migrate
from connector.store.db import Unavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers; says nothing of what it depends on."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """200 when database (with every migration) and job queue answer, else 503 naming which does not."""
    parts: Parts = current_app.extensions["parts"]
    checks = {"database": _database(parts), "queue": _queue(parts)}
    ready = all(state == "ok" for state in checks.values())
    return {"status": "ok" if ready else "unavailable", **checks}, 200 if ready else 503


def _database(parts: Parts) -> str:
    try:
        return "ok" if migrate.is_current(parts.database) else "migrations are missing"
    except Unavailable:
        return "does not answer"


def _queue(parts: Parts) -> str:
    try:
        parts.redis.ping()
    except QueueUnavailable:
        return "does not answer"
    return "ok"
