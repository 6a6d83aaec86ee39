"""What moved lately is read from the newest on, down to where it is known already, and no further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from requests.structures import CaseInsensitiveDict

from connector.errors import TryLaterError
from connector.sources.whop import recents

Json = dict[str, Any]


class Answer:
    def __init__(self, body: Json) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = CaseInsensitiveDict({"Content-Type": "application/json"})
        self.body = orjson.dumps(body)


class Whop:
    """A list in pages; each request's query is kept."""

    def __init__(self, *pages: list[Json], stuck: bool = False) -> None:
        self.pages, self.stuck = pages, stuck
        self.asked: list[Json] = []

    def request(self, method: str, path: str, /, **given: Any) -> Answer:
        params = dict(given["params"])
        number = int(params.get("after", 0))
        self.asked.append({"path": path, **params})
        more = number + 1 < len(self.pages)
        end = "0" if self.stuck else str(number + 1)
        info = {"has_next_page": more, "has_previous_page": False, "end_cursor": end}
        return Answer({"data": self.pages[number], "page_info": info})


def acted(*moments: str) -> list[Json]:
    return [{"id": f"mber_{at}", "most_recent_action_at": at} for at in moments]


def read(whop: Whop, since: str, way: str = "acted", kind: str = "member") -> list[Any]:
    return list(recents.walk(whop, kind, way, since, None, {"account_id": "biz_1", "first": 2}))


def test_it_stops_where_it_is_known_already() -> None:
    whop = Whop(acted("9", "8"), acted("7", "3"), acted("2", "1"))

    found = read(whop, "5")

    assert [last for _, _, last in found] == [False, True]
    assert len(whop.asked) == 2


def test_what_happened_in_the_same_moment_is_read_too() -> None:
    whop = Whop(acted("9", "5"), acted("5", "4"), acted("3", "2"))

    assert len(read(whop, "5")) == 2


def test_it_asks_for_the_newest_first() -> None:
    whop = Whop(acted("9", "1"))

    read(whop, "5")

    assert whop.asked[0] == {
        "path": "/members",
        "account_id": "biz_1",
        "first": 2,
        "order": "most_recent_action_at",
        "direction": "desc",
    }


def test_open_payments_are_read_whenever_they_were_made() -> None:
    whop = Whop([{"id": "pay_1", "created_at": "1"}], [{"id": "pay_2", "created_at": "0"}])

    found = read(whop, "5", way="open", kind="payment")

    assert len(found) == 2
    assert whop.asked[0]["status"] == "open"


def test_what_says_no_moment_comes_last() -> None:
    whop = Whop([{"id": "pay_1", "paid_at": "9"}, {"id": "pay_2", "paid_at": None}], [])

    assert len(read(whop, "5", way="paid", kind="payment")) == 1


def test_a_list_that_leads_back_is_no_list_to_follow() -> None:
    whop = Whop(acted("9", "8"), acted("7", "6"), acted("5", "4"), stuck=True)

    with pytest.raises(TryLaterError) as told:
        read(whop, "1")

    assert told.value.code == "source_paging"
