"""What a connection may read on Whop, object by object of the CRM, and what it disables where it may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connector.sources.whop import scopes
from connector.sources.whop.scopes import Scope
from connector.store.connections import Connection
from connector.sync import connecting
from connector.web import shell
from connector.web.present import Status

_GRANTED = Status("Granted", "success", "ok")
_MISSING = Status("Missing", "failed", "warn")
_UNSEEN = Status("Not looked at yet", "waiting")


class Row(NamedTuple):
    """One permission that one object of the CRM needs. ``effect`` says what it enables, or disables."""

    object: str
    fields: str
    name: str
    title: str
    status: Status
    effect: str


class Permissions(NamedTuple):
    """The table of one connection; ``missing`` are the scopes that were not granted."""

    rows: list[Row]
    missing: list[Scope]


def of(one: Connection) -> Permissions:
    """What the mapping files need of this connection, and whether it has it."""
    needed = scopes.needed(shell.mappings())
    lacks = connecting.missing(shell.parts().desk, one)
    return Permissions(list(_rows(one, needed, lacks)), [scope for scope in needed if scope.name in lacks])


def _rows(one: Connection, needed: tuple[Scope, ...], lacks: tuple[str, ...]) -> Iterator[Row]:
    words = shell.vocabulary()
    users = [(scope, "", "") for scope in needed if not scope.used_by]
    written = (user.partition(".")[0] for scope in needed for user in scope.used_by)  # notes and tasks too
    for object_ in dict.fromkeys((*words.objects, *written)):
        for scope in needed:
            mine = [user for user in scope.used_by if user.partition(".")[0] == object_]
            if mine:
                fields = (words.field(object_, user.partition(".")[2]) for user in mine if "." in user)
                users.append((scope, object_, ", ".join(dict.fromkeys(fields))))
    for scope, object_, fields_ in users:
        gone = scope.name in lacks
        status = _MISSING if gone else _UNSEEN if one.scopes is None else _GRANTED
        effect = scope.without if gone else scope.enables
        named = words.many(object_) if object_ else "The connection itself"
        yield Row(named, fields_, scope.name, scope.title, status, effect)
