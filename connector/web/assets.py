"""Style, script and pictures, at addresses that hold their hash: browsers may keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from flask import Blueprint, Flask, Response, abort, request, url_for

blueprint = Blueprint("assets", __name__)

_DIRECTORY: Final = Path(__file__).with_name("static")
_SERVED: Final = frozenset({".css", ".js", ".svg"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file, as it is and compressed."""

    mimetype: str
    plain: bytes
    zipped: bytes


def install(app: Flask) -> None:
    """Templates get ``asset(name)``, the address of a file."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals["asset"] = address


def address(name: str) -> str:
    """The address of a file; it changes with any of the files, because a style sheet may name others."""
    return url_for("assets.file", digest=version(), name=name)


@cache
def version() -> str:
    """Of all files and their names."""
    total = hashlib.sha256()
    for name, asset in files().items():
        total.update(name.encode() + b"\0" + asset.plain)
    return total.hexdigest()[:16]


@cache
def files() -> dict[str, Asset]:
    """Every file that is served, by its path below ``static``. They are few, and read once."""
    found = sorted(path for path in _DIRECTORY.rglob("*") if path.suffix in _SERVED)
    return {path.relative_to(_DIRECTORY).as_posix(): _read(path) for path in found}


def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    mimetype = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(mimetype, plain, gzip.compress(plain, mtime=0))


@blueprint.get("/assets/<digest>/<path:name>")
def file(digest: str, name: str) -> Response:
    """A file. Under the hash of another version it is still found, but not to be kept."""
    asset = files().get(name)
    if asset is None:
        abort(404)
    zipped = request.accept_encodings["gzip"] > 0
    response = Response(asset.zipped if zipped else asset.plain, mimetype=asset.mimetype)
    response.headers["Cache-Control"] = _FOR_EVER if digest == version() else "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response
