"""Whop as it was recorded, answering a reader."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from requests.structures import CaseInsensitiveDict

from connector.outbound import OutboundResponse
from connector.sources.whop import WhopReader
from connector.sources.whop.granted import PERMISSIONS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "whop"
CURRENT = FIXTURES / "current"
COMPANY = "biz_4QxLq2mTn8VrYe"
ALL_GRANTED = {"data": [{"action": one, "granted": True} for one in PERMISSIONS]}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def answer(body: Any, status: int = 200, **sent: str) -> OutboundResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OutboundResponse(status, CaseInsensitiveDict(sent), raw, "https://whop.example")


def error(name: str) -> OutboundResponse:
    fixture = read(FIXTURES / "errors" / f"{name}.json")
    body = fixture["body_text"].encode() if "body_text" in fixture else fixture["body"]
    return answer(body, fixture["status"], **fixture["headers"])


class Recorded:
    """A session that answers by path; several answers to one path come in turn, the last for ever."""

    def __init__(self, **more: Any) -> None:
        self.answers: dict[str, list[OutboundResponse]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.versions: set[str | None] = set()
        self.on("/permissions", ALL_GRANTED)
        self.on("/accounts/me", read(CURRENT / "accounts" / "me.json"))

    def on(self, path: str, *bodies: Any) -> "Recorded":
        self.answers[path] = [one if isinstance(one, OutboundResponse) else answer(one) for one in bodies]
        return self

    def request(
        self,
        method: str,
        path: str,
        /,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> OutboundResponse:
        assert method == "GET"
        self.asked.append((path, dict(params or {})))
        self.versions.add((headers or {}).get("Api-Version-Date"))
        waiting = self.answers.get(path, [error("404.not-found")])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def params_of(self, path: str) -> list[dict[str, Any]]:
        return [params for asked, params in self.asked if asked == path]


def reader(session: Recorded, company_id: str | None = COMPANY, **more: Any) -> WhopReader:
    return WhopReader(session, company_id=company_id, **more)


def a_page(items: Iterable[Any], cursor: str | None = None, *, more: bool = False) -> dict[str, Any]:
    return {"data": list(items), "page_info": {"end_cursor": cursor, "has_next_page": more}}


def a(kind: str, stem: str, **changes: Any) -> dict[str, Any]:
    return read(CURRENT / f"{kind}s" / f"{stem}.json") | changes


def recorded_pages(kind: str) -> list[Any]:
    files = [CURRENT / "lists" / f"{kind}s.{part}.json" for part in ("first", "middle", "last")]
    return [read(path) for path in files if path.exists()]


def granted(*names: str) -> dict[str, Any]:
    return {"data": [{"action": one, "granted": one in names} for one in PERMISSIONS]}
