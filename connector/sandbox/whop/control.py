"""``/sandbox/…``: what tests turn and read. The connector never calls it.

There is no credential on these routes: whoever can reach the sandbox may.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from connector.sandbox.whop import dials, edits
from connector.sandbox.whop.api import answer, world
from connector.sandbox.whop.tables import index_of
from connector.sandbox.whop.world import KINDS


def parts() -> Any:
    """The parts of this app (``app.Parts``)."""
    return current_app.extensions["whop"]


def refuse(message: str, status: int = 400) -> Response:
    """An error of the sandbox itself, in a shape of its own."""
    return answer({"sandbox_error": message}, status)


def body() -> Any:
    """The JSON body; an empty object when there is none."""
    return request.get_json(silent=True) or {}


def set_dials() -> Response:
    """POST /sandbox/dials: one dial, or a list of them."""
    wanted = body()
    made = [dials.dial(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
    parts().dials.dials.extend(made)
    return get_dials()


def get_dials() -> Response:
    """GET /sandbox/dials."""
    return answer({"dials": [known.as_json() for known in parts().dials.dials]})


def clear_dials() -> Response:
    """DELETE /sandbox/dials."""
    parts().dials.dials.clear()
    return get_dials()


def get_stats() -> Response:
    """GET /sandbox/stats."""
    return answer(parts().stats.as_json())


def clear_stats() -> Response:
    """DELETE /sandbox/stats."""
    parts().stats.clear()
    return get_stats()


def keys() -> Response:
    """POST /sandbox/keys: ``do`` is issue, restrict, pin, expire, revoke, restore or reset.

    ``key`` names the credential (default: the company's), ``permissions`` what
    it may do (issue, restrict; ``quiet``: its lists are empty instead of refused),
    ``kind`` what is issued: account, app or user.
    """
    wanted, ring = body(), parts().keyring
    key, permissions = wanted.get("key", ring.main), frozenset(wanted.get("permissions", ()))
    acts: dict[str, Callable[[], Any]] = {
        "issue": lambda: ring.issue(wanted.get("kind", "user"), permissions),
        "restrict": lambda: ring.change(key, permissions=permissions, quiet=bool(wanted.get("quiet", False))),
        "pin": lambda: ring.change(key, pin=wanted["version"]),
        "expire": lambda: ring.change(key, state="expired"),
        "revoke": lambda: ring.change(key, state="revoked"),
        "restore": lambda: ring.change(key, state="live"),
        "reset": ring.reset,
    }
    if wanted.get("do") not in acts:
        return refuse(f"do: expected one of {', '.join(acts)}, found {wanted.get('do')!r}")
    made = acts[wanted["do"]]()
    key = made.key if made is not None else ring.main
    return answer({"key": key, "permissions": sorted(made.permissions) if made is not None else None})


def oauth() -> Response:
    """POST /sandbox/oauth: see ``oauth.OAuth.turn``."""
    return answer(parts().oauth.turn(body()))


def limits() -> Response:
    """POST /sandbox/limits: ``enabled``, ``per_minute``, ``header``; counts start anew."""
    limiter = parts().limiter
    for field, value in body().items():
        if field not in ("enabled", "per_minute", "header"):
            raise ValueError(f"expected enabled, per_minute or header, found {field}")
        setattr(limiter, field, value)
    limiter.forget()
    fields = ("enabled", "per_minute", "header")
    return answer({field: getattr(limiter, field) for field in fields})


def dump(kind: str) -> Response:
    """GET /sandbox/records/{kind}: every record of the company (``?company=``), newest first."""
    asked = request.args.get("company", world().home.company.id)
    table = {shelf.company.id: shelf for shelf in world().owned}[asked].tables[kind]

    def pieces() -> Iterator[bytes]:
        yield b"["
        for count, place in enumerate(reversed(table.order("created_at"))):
            yield (b",\n" if count else b"") + orjson.dumps(table.get(index_of(place)))
        yield b"]"

    return Response(pieces(), content_type="application/json")


def add(kind: str) -> Response:
    """POST /sandbox/records/{kind}: the fields that matter, the rest is made up."""
    return answer(edits.add(world(), kind, body()), 201)


def change(kind: str, name: str) -> Response:
    """PATCH /sandbox/records/{kind}/{id}."""
    index = _index(kind, name)
    return answer(edits.change(world(), kind, index, body()))


def remove(kind: str, name: str) -> Response:
    """DELETE /sandbox/records/{kind}/{id}."""
    edits.remove(world(), kind, _index(kind, name))
    return answer({"id": name, "deleted": True})


def _index(kind: str, name: str) -> int:
    index = world().home.tables[kind].find(name)
    if index is None:
        raise LookupError(f"{kind}: there is no {name}")
    return index


def create_blueprint() -> Blueprint:
    """All routes below ``/sandbox``."""
    routes = Blueprint("control", __name__, url_prefix="/sandbox")
    kinds = f"<any({', '.join(KINDS)}):kind>"
    table: list[tuple[str, str, Callable[..., Response]]] = [
        ("POST", "/dials", set_dials),
        ("GET", "/dials", get_dials),
        ("DELETE", "/dials", clear_dials),
        ("GET", "/stats", get_stats),
        ("DELETE", "/stats", clear_stats),
        ("POST", "/keys", keys),
        ("POST", "/limits", limits),
        ("POST", "/oauth", oauth),
        ("GET", f"/records/{kinds}", dump),
        ("POST", f"/records/{kinds}", add),
        ("PATCH", f"/records/{kinds}/<name>", change),
        ("DELETE", f"/records/{kinds}/<name>", remove),
    ]
    for method, path, view in table:
        routes.add_url_rule(path, view.__name__, view, methods=[method])
    explain_errors(routes)
    return routes


def explain_errors(routes: Blueprint) -> None:
    """What the sandbox's own routes answer to what cannot be."""
    routes.register_error_handler(ValueError, lambda error: refuse(str(error)))
    routes.register_error_handler(KeyError, lambda error: refuse(f"unknown {error}", 404))
    routes.register_error_handler(LookupError, lambda error: refuse(str(error.args[0]), 404))
