"""A page that is read at once gives what its items give one by one; nothing slips through unchecked."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whop_builders import COMPANY, CURRENT, Recorded, a_page, granted, read, recorded_pages

from connector.core.records import BadRecord
from connector.sources.whop import CATALOGUE, WhopReader, quick
from connector.sources.whop.granted import PERMISSIONS
from connector.sources.whop.normalise import are_ids, is_id
from connector.sources.whop.times import are_canonical, canonical_time

BY_KIND = {
    kind: [
        *(read(path) for path in sorted((CURRENT / f"{kind}s").glob("*.json"))),
        *(item for body in recorded_pages(kind) for item in body["data"]),
    ]
    for kind in CATALOGUE.order
}
ODD = "no item at all"  # makes a page one that is read item by item


def taken(kind: str, items: list[Any], granted_: Any) -> list[Any]:
    """What becomes of each item: its record, or what is said against it."""
    session = Recorded().on("/permissions", granted_).on(f"/{kind}s", a_page(copy.deepcopy(items)))
    (page,) = WhopReader(session, company_id=COMPANY).pages(kind, None)
    return [(one.ref, str(one.error)) if isinstance(one, BadRecord) else one for one in page.items]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["", "mem_1", "biz_other", "2026-11-20T12:00:00.000Z", "2026-11-20T12:00:00Z"]),
    st.sampled_from([-0.0, {}, []]),
    st.fixed_dictionaries({}, optional={"id": st.text(), "amount": st.text(), "currency": st.text()}),
)


@st.composite
def pages(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A page of recorded items with a few values, or whole items, exchanged for others."""
    kind = draw(st.sampled_from(CATALOGUE.order))
    items = copy.deepcopy(draw(st.lists(st.sampled_from(BY_KIND[kind]), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 2))):
        item = draw(st.sampled_from(items))
        name = draw(st.sampled_from([*item, "new_name"]))
        inside = item.get(name)
        if isinstance(inside, dict) and inside and draw(st.booleans()):
            item, name = inside, draw(st.sampled_from(list(inside)))
        if draw(st.booleans()):
            item[name] = draw(VALUES)
        else:
            item.pop(name, None)
    return kind, items


@pytest.mark.parametrize("lacking", [(), ("member:phone:read", "member:email:read")])
@given(page=pages())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_page_gives_what_its_items_give_one_by_one(
    lacking: tuple[str, ...], page: tuple[str, list[Any]]
) -> None:
    kind, items = page
    may = granted(*(one for one in PERMISSIONS if one not in lacking))

    assert taken(kind, items, may) == taken(kind, [*items, ODD], may)[:-1]


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_recorded_pages_are_read_at_once(kind: str) -> None:
    for body in recorded_pages(kind):
        found = quick.read(kind, body["data"], COMPANY)

        assert found is not None
        assert [record.ref.id for record in found.records] == [item["id"] for item in body["data"]]


def test_items_that_do_not_have_the_same_names_are_read_at_once_too() -> None:
    items = [item for body in recorded_pages("membership") for item in body["data"]]
    del items[1]["license_key"]
    items[2] = {"brand_new": 1, **items[2]}

    found = quick.read("membership", items, COMPANY)

    assert found is not None
    assert [record.fields for record in found.records] == items


def oddities() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("member", {"status": None}),
        ("member", {"email": 7}),
        ("member", {"account_id": "biz_other"}),
        ("member", {"account_id": None}),
        ("member", {"id": "mber 1"}),
        ("member", {"id": ""}),
        ("member", {"joined_at": "2026-11-20 12:00:00.000Z"}),
        ("member", {"joined_at": "2026-02-30T12:00:00.000Z"}),
        ("member", {"usd_total_spent": {"amount": 7, "currency": "usd"}}),
        ("member", {"usd_total_spent": {}}),
        ("member", {"user": {"id": "user_1", "profile_picture": {"url": 7}}}),
        ("membership", {"account": {}}),
        ("membership", {"account": {"id": "biz_other"}}),
        ("membership", {"payments": []}),
        ("payment", {"client_secret": "s"}),
        ("plan", {"initial_price": float("1e400")}),
        ("dispute", {"currency": None}),
    ]


@pytest.mark.parametrize(("kind", "changes"), oddities())
def test_what_is_out_of_the_ordinary_is_looked_at_by_itself(kind: str, changes: dict[str, Any]) -> None:
    usual = [item for body in recorded_pages(kind) for item in body["data"]]

    assert quick.read(kind, usual, COMPANY) is not None
    assert quick.read(kind, [*usual, usual[0] | changes], COMPANY) is None


WRITTEN = st.datetimes().map(lambda one: f"{one.isoformat('T', 'milliseconds')}Z")


@given(st.lists(st.one_of(st.text(), WRITTEN)))
def test_times_are_canonical_where_each_is(texts: list[str]) -> None:
    def is_canonical(text: str) -> bool:
        try:
            return canonical_time(text) == text
        except ValueError:
            return False

    assert are_canonical(texts) == all(map(is_canonical, texts))


@given(st.lists(st.text(st.characters(max_codepoint=0x180), max_size=101)))
def test_ids_are_ids_where_each_is_one(texts: list[str]) -> None:
    assert are_ids(texts) == all(map(is_id, texts))
