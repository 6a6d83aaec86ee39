"""The sandbox as a Flask application: every request's way through it.

Count, scripted fault, wait, credential, version, rate limit, answer. The OAuth
endpoints share the first three and look after the rest themselves.
"""

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Flask, Response, g, request

from connector.sandbox.whop import (
    api,
    chats,
    control,
    errors,
    faults,
    hook_control,
    hook_routes,
    membership_writes,
    oauth,
    oauth_apps,
)
from connector.sandbox.whop.auth import Keyring
from connector.sandbox.whop.dials import Dials, Stats
from connector.sandbox.whop.hookbook import HookBook
from connector.sandbox.whop.limits import Limiter
from connector.sandbox.whop.lists import Selections
from connector.sandbox.whop.oauth_grants import Grants
from connector.sandbox.whop.replays import Replays
from connector.sandbox.whop.world import World

TODAY: Final = datetime.date(2026, 11, 20)
PREFIX: Final = "/api/v1"
#: What is counted and can be made to fail; the rest is the sandbox's own.
SERVICES: Final = (PREFIX + "/", "/oauth/")


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application holds; ``app.extensions["whop"]``."""

    world: World
    keyring: Keyring
    limiter: Limiter
    dials: Dials
    stats: Stats
    selections: Selections
    oauth: oauth.OAuth
    hooks: HookBook
    chats: chats.Chats
    replays: Replays
    answer_seconds: float


def create_app(  # noqa: PLR0913 - by name only, and each has its default
    *,
    members: int = 500,
    memberships: int | None = None,
    products: int = 5,
    seed: int = 1,
    today: datetime.date | None = None,
    data_dir: Path | None = None,
    limited: bool = True,
    answer_seconds: float = 0.0,
    clients: Mapping[str, Sequence[str]] | None = None,
    companies: int = 1,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] | None = None,
) -> Flask:
    """A Whop with one seller's invented data; the same arguments give the same bytes.

    ``memberships`` defaults to 1.24 for each member. With ``data_dir`` the API
    key is written to ``api-key`` there, and changes and OAuth grants survive a
    restart; one process at a time. ``answer_seconds`` is waited before each
    answer. ``clients`` are the OAuth apps (client id to exact redirect URIs);
    without it there is ``app_sandboxConnector``, which takes any local address
    that ends in ``/oauth/whop/callback``. The one user owns ``companies`` (1 to
    4); the API key is the first one's. ``now`` is the clock of codes and tokens,
    ``clock`` that of what happens; without it each change is a second after the
    one before, from noon of the day on.
    Raises ValueError for sizes that cannot be.
    """
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
    app = Flask(__name__, static_folder=None)
    world = World(
        members=members,
        memberships=memberships,
        products=products,
        seed=seed,
        today=today or TODAY,
        data_dir=data_dir,
        companies=companies,
        clock=clock,
    )
    file = data_dir / f"oauth-{seed}.json" if data_dir else None
    grants = Grants(file, tuple(shelf.company.id for shelf in world.owned), now)
    app.extensions["whop"] = Parts(
        world=world,
        keyring=Keyring(seed, data_dir, grants.credential),
        limiter=Limiter(enabled=limited),
        dials=Dials(),
        stats=Stats(),
        selections=Selections(),
        oauth=oauth.OAuth(
            apps=oauth_apps.registered(clients),
            grants=grants,
            limiter=Limiter(enabled=limited, per_minute=oauth.PER_MINUTE),
        ),
        hooks=HookBook(data_dir / f"hooks-{seed}.json" if data_dir else None, now),
        chats=chats.Chats(),
        replays=Replays(),
        answer_seconds=answer_seconds,
    )
    for routes in (api, membership_writes, hook_routes, chats, hook_control):
        app.register_blueprint(routes.create_blueprint())
    app.register_blueprint(oauth.create_blueprint())
    app.register_blueprint(control.create_blueprint())
    app.register_blueprint(chats.create_control())
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
    """Everything that happens to a request of the services before its route."""
    if not request.path.startswith(SERVICES):
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
    if request.path.startswith(PREFIX + "/"):
        return _enter_api(parts)
    return None


def _enter_api(parts: Parts) -> Response | None:
    g.caller = parts.keyring.caller(request.headers.get("Authorization", ""))
    asked = request.headers.get("Api-Version-Date") or g.caller.pin
    if asked not in errors.VERSIONS:
        raise errors.unknown_version(asked)
    g.legacy = asked == errors.VERSIONS[0]
    parts.limiter.count(operation(), g.caller.key)
    return parts.replays.enter(g.caller.key)


def operation() -> str:
    """The request as ``"GET /members/{id}"``; unknown paths are one operation."""
    if request.url_rule is None:
        return f"{request.method} ?"
    path = request.url_rule.rule.removeprefix(PREFIX).replace("<name>", "{id}").replace("<delivery>", "{id}")
    return f"{request.method} {path}"


def _leave(response: Response) -> Response:
    _parts().replays.leave(response)
    fault = g.pop("fault", None)
    if fault:
        response = faults.after(fault, response)
    if request.path.startswith(SERVICES):
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
