"""Plays the recordings of the real server against the sandbox and says how the answers compare.

Ids, codes and secrets are carried over from the recorded answers to ours; what each server makes up for
itself (times, positions, search vectors) is not compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twenty_helpers import Twenty

FOLDER = Path(__file__).parents[1] / "recordings" / "twenty"
Number = int | str
#: By number; where two recordings share one, the second goes by its whole name.
FILES: dict[Number, Path] = {}
for path in sorted(FOLDER.glob("*.json")):
    number = int(path.name.split("-")[0])
    FILES[path.stem if number in FILES else number] = path
INDEX = FILES.pop(0)

MORE = re.compile(r"… (\d+) more of the same shape, left out of this recording")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CODE = re.compile(r"[0-9a-f]{84}")
MADE_UP = re.compile(f"{UUID.pattern}|{CODE.pattern}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
#: Made up by each server for itself.
VOLATILE = {
    "createdAt", "updatedAt", "deletedAt", "position", "searchVector", "universalIdentifier", "applicationId",
    "blocknote", "startCursor", "endCursor", "cursor", "workspaceId", "databaseSchema", "metadataVersion",
    "description", "icon", "flatEntityMinimalInformation", "client_id_issued_at", "iat", "exp",
    "clientSecret", "applicationUniversalIdentifier", "workspaceCustomApplicationId",
    "revokedAt", "secret", "inviteHash",
}  # fmt: skip
#: Where this server keeps more or fewer objects than the recorded one: only how they differ is compared.
UNCOUNTED = {"objectsPermissions"}
#: Answers whose order counts; elsewhere rows are compared as a set, for ids give the order.
ORDERED = {322, 323, 406, 971, 972}
#: Refusals that drag dozens of follow-up errors along: which of their parts are compared.
CAUSES: dict[Number, str] = {
    **dict.fromkeys((106, 107, 108, 109, 110, 111, 151), "objectMetadata"),
    **dict.fromkeys((129, 153), "fieldMetadata"),
}
#: What the schema leaves out where it is null, and whose type is that of the field (100-104).
LEFT_OUT = {
    "shortcut", "duplicateCriteria", "imageIdentifierFieldMetadataId", "settings", "options", "defaultValue",
    "description", "icon",
}  # fmt: skip
HOST = "http://127.0.0.1:3000"
Body = Callable[["Tape"], Any]


class Tape:
    """Plays recordings one after another; `ids` carries what the recorded server made up over to ours.

    `keys` are tokens by what the recordings call them; `bodies` are requests that a recording only tells of.
    """

    def __init__(self, twenty: Twenty) -> None:
        self.twenty = twenty
        self.ids: dict[str, str] = {}
        self.answers: dict[Number, tuple[int, Any]] = {}
        self.keys: dict[str, str] = {}
        self.bodies: dict[Number, Body] = {}

    def turn(self, what: str, **given: Any) -> Any:
        answer = self.twenty.client.post(f"/sandbox/{what}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def recording(self, number: Number) -> Any:
        return json.loads(FILES[number].read_text())

    def sent(self, number: Number) -> Any:
        """The body of a recorded request."""
        return self.recording(number)["request"]["body"]

    def play(self, number: Number) -> None:
        recording = self.recording(number)
        request = recording["request"]
        headers = dict(request.get("headers") or {})
        host = f"http://{headers.pop('Host')}" if "Host" in headers else HOST
        if "Authorization" in headers or "Bearer" in recording["note"]:
            headers["Authorization"] = f"Bearer {self._token(headers.get('Authorization', ''), recording)}"
        answer = self.twenty.client.open(
            self._ours(request["path"]),
            method=request["method"],
            data=self._body(number, request.get("body")),
            headers=headers,
            base_url=host,
        )
        body = answer.get_json() if answer.mimetype == "application/json" else answer.get_data(as_text=True)
        self.answers[number] = (answer.status_code, body)
        self._learn(recording["response"]["body"], body)

    def _token(self, header: str, recording: Any) -> str:
        told = f"{header} {recording['note']}"
        names = sorted(self.keys, key=len, reverse=True)
        return next((self.keys[name] for name in names if name in told), self.twenty.key)

    def _ours(self, text: str) -> str:
        return MADE_UP.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def _body(self, number: Number, body: Any) -> str | None:
        if number in self.bodies:
            body = self.bodies[number](self)
        if body is None or isinstance(body, str):
            return self._ours(body) if body else body
        assert not MORE.search(json.dumps(body, ensure_ascii=False)), "a shortened request cannot be played"
        return self._ours(json.dumps(body))

    def _learn(self, theirs: Any, ours: Any) -> None:
        """Pair what stands at the same place of both answers."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name in theirs.keys() & ours.keys():
                self._learn(theirs[name], ours[name])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for their, our in zip(_sorted(theirs), _sorted(ours), strict=False):
                self._learn(their, our)
        elif isinstance(theirs, str) and isinstance(ours, str):
            for their, our in zip(MADE_UP.findall(theirs), MADE_UP.findall(ours), strict=False):
                self.ids.setdefault(their, our)


def filled(body: Any, rows: list[Any]) -> Any:
    """The body with the whole list where the recording shortened it."""
    if isinstance(body, list) and any(isinstance(each, str) and MORE.search(each) for each in body):
        return rows
    if isinstance(body, dict):
        return {name: filled(each, rows) for name, each in body.items()}
    return body


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: _place(_plain(row, {})))


def _place(row: Any) -> tuple[str, str]:
    """Where a row stands in a list whose order says nothing: by its name, then by all it says."""
    node = row.get("node", row) if isinstance(row, dict) else {}
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else "", json.dumps(row, sort_keys=True)


def _plain(value: Any, ids: dict[str, str], name: str = "", *, ordered: bool = True) -> Any:
    """A value without what each server makes up; recorded ids read as ours."""
    if name in VOLATILE and not (name in ("deletedAt", "revokedAt") and value is None):
        return f"<{name}>"
    if isinstance(value, dict):
        return {key: _plain(each, ids, key, ordered=ordered) for key, each in value.items()}
    if isinstance(value, list):
        rows = [_plain(each, ids, ordered=ordered) for each in value]
        if name in UNCOUNTED:
            return [json.loads(row) for row in sorted({json.dumps(row, sort_keys=True) for row in rows})]
        return rows if ordered else sorted(rows, key=_place)
    if isinstance(value, str):
        known = MADE_UP.sub(lambda found: ids.get(found[0], "<id>"), value)
        return TOKEN.sub("<jwt>", TIME.sub("<time>", known))
    return value


def _cut(value: Any, theirs: Any) -> Any:
    """What can be compared: of a list that the recording shortened, how long it was."""
    if isinstance(theirs, dict) and isinstance(value, dict):
        return {name: _cut(each, theirs.get(name)) for name, each in value.items()}
    if isinstance(theirs, list) and isinstance(value, list):
        if not any(_more(each) for each in theirs):
            return value
        return sum(_more(each) or 1 for each in value)
    return value


def _more(row: Any) -> int:
    found = MORE.search(row) if isinstance(row, str) else None
    return int(found[1]) if found else 0


def comparable(tape: Tape, number: Number, body: Any, ids: dict[str, str]) -> Any:
    """A body as it is compared; `ids` turns recorded ids into ours."""
    known = ids or {each: each for each in tape.ids.values()}
    plain = _plain(body, known, ordered=number in ORDERED)
    if number in CAUSES:
        return _cause(plain, CAUSES[number])
    return _cut(plain, tape.recording(number)["response"]["body"])


def _cause(body: Any, part: str) -> Any:
    """The errors of the object or field itself, and how many there were of each kind."""
    tree = body["errors"][0]["extensions"] if isinstance(body["errors"], list) else body
    return {"cause": tree["errors"][part], "rest": {**tree, "errors": None}, "data": body.get("data")}


def misfits(theirs: Any, ours: Any, at: str = "") -> list[str]:
    """Where an answer of the same form would differ: other keys, other types; null fits everything."""
    if theirs is None or ours is None:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        odd = [f"{at}.{name}" for name in sorted((theirs.keys() ^ ours.keys()) - LEFT_OUT)]
        return odd + [
            each
            for name in sorted((theirs.keys() & ours.keys()) - LEFT_OUT)
            for each in misfits(theirs[name], ours[name], f"{at}.{name}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        return misfits(theirs[0], ours[0], f"{at}[]") if theirs and ours else []
    numbers = isinstance(theirs, int | float) and isinstance(ours, int | float)
    return [] if type(theirs) is type(ours) or numbers else [f"{at}: {theirs!r} or {ours!r}"]


def check(tape: Tape, number: Number, *, form_only: bool = False) -> None:
    """The sandbox answered as the recorded server did."""
    theirs, (status, body) = tape.recording(number)["response"], tape.answers[number]
    assert status == theirs["status"], body
    if form_only:
        assert misfits(theirs["body"], body) == []
    else:
        assert comparable(tape, number, body, {}) == comparable(tape, number, theirs["body"], tape.ids)
