"""The minimal handler: what a door for webhooks cannot do without. Signature, insert, commit, answer.

It is served with the same settings as the connector's own door, and keeps its rows in a database of the
same kind. It knows one secret, counts nothing, tells nobody, and believes any time.
"""

from __future__ import annotations

import base64
import hmac
import os
import sqlite3
import threading
from collections.abc import Callable

import psycopg
from flask import Flask, request
from flask.typing import ResponseReturnValue

_TABLE = "CREATE TABLE IF NOT EXISTS plain_event (id VARCHAR(100) PRIMARY KEY, body {bytes} NOT NULL)"
_INSERT = "INSERT INTO plain_event VALUES ({0}, {0}) ON CONFLICT DO NOTHING"

Keep = Callable[[str, bytes], object]


def application() -> Flask:
    """The handler as its environment says: ``PLAIN_SECRET`` and ``PLAIN_DATABASE``."""
    app = Flask(__name__)
    secret, keep = os.environ["PLAIN_SECRET"].encode(), _keeper(os.environ["PLAIN_DATABASE"])

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return "ok"

    @app.post("/webhook")
    def take() -> ResponseReturnValue:
        raw, id_ = request.get_data(cache=False), request.headers["webhook-id"]
        signed = b"%s.%s.%s" % (id_.encode(), request.headers["webhook-timestamp"].encode(), raw)
        given = base64.b64decode(request.headers["webhook-signature"].removeprefix("v1,"))
        if not hmac.compare_digest(hmac.digest(secret, signed, "sha256"), given):
            return "", 401
        keep(id_, raw)
        return {"received": True}

    return app


def _keeper(address: str) -> Keep:
    """Insert and commit, by a connection for each thread."""
    own = threading.local()
    open_ = _postgresql if address.startswith("postgresql") else _sqlite

    def keep(id_: str, raw: bytes) -> None:
        if not hasattr(own, "keep"):
            own.keep = open_(address)
        own.keep(id_, raw)

    open_(address)  # the table is there before the first delivery
    return keep


def _sqlite(path: str) -> Keep:
    # The connector's own settings.
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    for pragma in ("busy_timeout=5000", "synchronous=FULL", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(_TABLE.format(bytes="BLOB"))
    statement = _INSERT.format("?")
    return lambda id_, raw: connection.execute(statement, (id_, raw))


def _postgresql(url: str) -> Keep:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(
        "SELECT pg_advisory_lock(1)"
    )  # two processes that make a table get in each other's way
    connection.execute(_TABLE.format(bytes="BYTEA"))
    connection.execute("SELECT pg_advisory_unlock(1)")
    statement = _INSERT.format("%s")
    return lambda id_, raw: connection.execute(statement, (id_, raw))
