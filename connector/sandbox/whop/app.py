"""The sandbox as a Flask application: every request's way through it.

Count, scripted fault, wait, credential, version, rate limit, answer.
"""

import datetime
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Flask, Response, g, request

from connector.sandbox.whop import api, control, errors, faults
from connector.sandbox.whop.auth import Keyring
from connector.sandbox.whop.dials import Dials, Stats
from connector.sandbox.whop.limits import Limiter
from connector.sandbox.whop.lists import Selections
from connector.sandbox.whop.world import World

TODAY: Final = datetime.date(2026, 11, 20)
PREFIX: Final = "/api/v1"
#: The oldest version is known to Whop, but only the latest is built here.
BUILT: Final = errors.VERSIONS[-1]


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application holds; ``app.extensions["whop"]``."""

    world: World
    keyring: Keyring
    limiter: Limiter
    dials: Dials
    stats: Stats
    selections: Selections
    answer_seconds: float


def create_app(
    *,
    members: int = 500,
    memberships: int | None = None,
    products: int = 5,
    seed: int = 1,
    today: datetime.date | None = None,
    data_dir: Path | None = None,
    limited: bool = True,
    answer_seconds: float = 0.0,
) -> Flask:
    """A Whop with one seller's invented data; the same arguments give the same bytes.

    ``memberships`` defaults to 1.24 for each member. With ``data_dir`` the API
    key is written to ``api-key`` there and changes survive a restart; one
    process at a time. ``answer_seconds`` is waited before each answer. Raises
    ValueError for sizes that cannot be.
    """
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
    app = Flask(__name__, static_folder=None)
    app.extensions["whop"] = Parts(
        world=World(
            members=members,
            memberships=memberships,
            products=products,
            seed=seed,
            today=today or TODAY,
            data_dir=data_dir,
        ),
        keyring=Keyring(seed, data_dir),
        limiter=Limiter(enabled=limited),
        dials=Dials(),
        stats=Stats(),
        selections=Selections(),
        answer_seconds=answer_seconds,
    )
    app.register_blueprint(api.create_blueprint())
    app.register_blueprint(control.create_blueprint())
    app.add_url_rule("/healthz", "healthz", lambda: Response("ok", content_type="text/plain"))
    app.before_request(_enter)
    app.after_request(_leave)
    app.register_error_handler(errors.ApiError, _api_error)
    app.register_error_handler(404, _no_route)
    app.register_error_handler(405, _no_route)
    return app


def _parts() -> Parts:
    parts: Parts = control.parts()
    return parts


def _enter() -> Response | None:
    """Everything that happens to a request of the API before its route."""
    if not request.path.startswith(PREFIX + "/"):
        return None
    parts = _parts()
    parts.stats.came(operation())
    fault = parts.dials.fault(f"{request.method} {request.path.removeprefix(PREFIX)}")
    if fault is not None:
        parts.stats.struck()
        g.fault = fault
        false = faults.before(fault)
        if false is not None:
            g.fault = {}
            return false
    time.sleep(parts.answer_seconds)
    g.caller = parts.keyring.caller(request.headers.get("Authorization", ""))
    _check_version(request.headers.get("Api-Version-Date"))
    parts.limiter.count(operation(), g.caller.key)
    return None


def operation() -> str:
    """The request as ``"GET /members/{id}"``; unknown paths are one operation."""
    if request.url_rule is None:
        return f"{request.method} ?"
    path = request.url_rule.rule.removeprefix(PREFIX).replace("<name>", "{id}")
    return f"{request.method} {path}"


def _check_version(asked: str | None) -> None:
    """Without the header a key's own pin counts, and new keys are pinned to the latest."""
    if asked is None or asked == BUILT:
        return
    if asked in errors.VERSIONS:
        message = f"The sandbox does not speak {asked}, only {BUILT}."
        raise errors.ApiError(501, "sandbox_not_built", message)
    raise errors.unknown_version(asked)


def _leave(response: Response) -> Response:
    fault = g.pop("fault", None)
    if fault:
        response = faults.after(fault, response)
    if request.path.startswith(PREFIX + "/"):
        _parts().stats.answered(response.status_code)
    return response


def _api_error(error: errors.ApiError) -> Response:
    response = api.answer(error.body, error.status)
    if error.status == 429 and _parts().limiter.header:
        seconds = "".join(letter for letter in str(error) if letter.isdigit())
        response.headers["Retry-After"] = seconds
    return response


def _no_route(error: Exception) -> Response:
    """Unknown paths and methods: the API answers JSON here too."""
    return api.answer({"error": {"type": "not_found", "message": "Not found."}}, 404)
