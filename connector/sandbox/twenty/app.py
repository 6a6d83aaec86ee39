"""The HTTP server: addresses, the road of a request, what is refused before anything is read."""

import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request

from connector.sandbox.twenty import browse, consent, controls, oauth, road, wire
from connector.sandbox.twenty.world import Settings, World

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
#: Node refuses longer request lines (281), Express longer bodies (859).
LONGEST_LINE, LONGEST_BODY = 16_384, 10 * 1024 * 1024


def create_app(
    *,
    data_dir: Path | None = None,
    batch_cap: int = 200,
    rate_limited: bool = True,
    recorded_times: bool = False,
    workspaces: int = 1,
    new_metadata_format: bool = True,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Flask:
    """A sandbox Twenty. State lives in this process: serve it with one process and several threads.

    `data_dir` keeps it over restarts and gets a file `api-key` with the first workspace's Admin key;
    None keeps it in memory. `batch_cap` is the limit of records per call (older servers: 60).
    """
    app = Flask("twenty-sandbox")
    settings = Settings(batch_cap, rate_limited, recorded_times, new_metadata_format, now, sleep)
    world = World(settings, data_dir, workspaces)
    # A mistake of the sandbox itself is no answer of Twenty's: it is raised, not hidden in a page.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.extensions["twenty"] = world
    app.before_request(_refuse_oversized)
    app.register_blueprint(controls.blueprint(world))
    app.register_blueprint(browse.blueprint(world))
    app.register_blueprint(consent.blueprint(world))
    app.register_blueprint(oauth.blueprint(world))
    app.register_blueprint(road.blueprint(world, METHODS))
    app.register_error_handler(404, lambda _error: road.cannot(request.method, request.path))
    app.register_error_handler(405, lambda _error: road.cannot(request.method, request.path))
    return app


def api_keys(app: Flask) -> list[str]:
    """The Admin API key of each workspace."""
    world: World = app.extensions["twenty"]
    return world.admin_tokens()


def _refuse_oversized() -> Response | None:
    query = request.query_string
    if len(request.path) + len(query) > LONGEST_LINE:
        return Response(b"", 431)
    if (request.content_length or 0) > LONGEST_BODY:
        return wire.reply(500, "request entity too large")
    return None
