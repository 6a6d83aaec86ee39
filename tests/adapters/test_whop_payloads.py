"""Bodies of webhooks: every event by today's name, with what it tells of its record."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.core.events import Told
from connector.core.records import Ref
from connector.errors import BadRecordError
from connector.sources.whop import CATALOGUE
from connector.sources.whop.events import ALIASES, EVENTS, OTHERS, WITHOUT_SUCCESSOR, is_known, today
from connector.sources.whop.payloads import told

HOOKS = Path(__file__).parents[1] / "fixtures" / "whop" / "webhooks"
COMPANY = "biz_4QxLq2mTn8VrYe"
BODIES = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(HOOKS.glob("*/*.json"))
}
OF_TODAY = [place for place in BODIES if place.startswith("v1-current/")]


def a(place: str, **changes: Any) -> dict[str, Any]:
    body = json.loads(json.dumps(BODIES[place]))
    body["data"] |= changes
    return body


def event_of(place: str) -> str:
    """The event as the fixtures' file names say it, which are the same in all dialects."""
    name = place.partition("/")[2]
    if "went_valid" in name:
        return "membership.activated"
    if "experience_claimed" in name:
        return "member.updated"
    known = [event for event in EVENTS if name == event or name.startswith(f"{event}.")]
    return max(known, key=len, default=BODIES[place].get("type", ""))


# --- names ---


def test_all_names_that_the_reference_counts_are_known() -> None:
    assert len(EVENTS) + len(OTHERS) == 94
    assert not EVENTS.keys() & OTHERS
    assert not ALIASES.keys() & (EVENTS.keys() | OTHERS)


def test_every_old_name_leads_to_one_of_today() -> None:
    assert set(ALIASES.values()) <= EVENTS.keys() | OTHERS


@pytest.mark.parametrize("name", EVENTS)
def test_a_name_is_known_with_dots_with_underscores_and_from_an_app(name: str) -> None:
    for sent in (name, name.replace(".", "_"), f"app_{name}", f"app.{name}"):
        assert today(sent, {}) == name
        assert is_known(sent)


@pytest.mark.parametrize(
    ("sent", "data", "name"),
    [
        ("went_valid", {}, "membership.activated"),
        ("membership_went_valid", {}, "membership.activated"),
        ("app_membership.went_invalid", {}, "membership.deactivated"),
        ("membership.renewed", {}, "membership.activated"),
        ("membership.expired", {}, "membership.deactivated"),
        ("membership.cancelled", {"cancel_at_period_end": True}, "membership.cancel_at_period_end_changed"),
        ("membership.canceled", {"cancel_at_period_end": False}, "membership.deactivated"),
        ("membership.cancelled", {}, "membership.deactivated"),
        ("payment.refunded", {}, "refund.updated"),
        ("payment.dispute_resolved", {}, "dispute.updated"),
        ("user.created", {}, "member.created"),
    ],
)
def test_old_names_are_told_by_their_bodies(sent: str, data: dict[str, Any], name: str) -> None:
    assert today(sent, data) == name


def test_names_without_a_successor_are_known_and_stay() -> None:
    for start in WITHOUT_SUCCESSOR:
        name = f"{start}x" if start.endswith(".") else start
        assert is_known(name)
        assert today(name, {}) == name


def test_what_nobody_knows_keeps_its_name() -> None:
    assert today("gift.redeemed", {}) == "gift.redeemed"
    assert not is_known("gift.redeemed")


# --- bodies ---


@pytest.mark.parametrize("place", BODIES)
def test_every_body_is_read(place: str) -> None:
    found = told(BODIES[place])

    assert found.name == event_of(place)
    assert found.problem is None
    if not place.startswith("v2/") or "company" in BODIES[place]:
        assert found.company == COMPANY
    if found.ref and found.ref.kind in CATALOGUE.kinds:
        assert found.record is not None
        assert found.record.ref == found.ref
    if place.startswith("v1"):
        assert found.event_id == BODIES[place]["id"]
        assert found.occurred_at == BODIES[place]["timestamp"]


@pytest.mark.parametrize("place", OF_TODAY)
def test_a_body_of_today_is_complete_where_it_says_when_it_changed(place: str) -> None:
    found = told(BODIES[place])

    kinds = ("product", "plan", "membership", "payment", "refund", "dispute")
    assert found.complete is (found.ref is not None and found.ref.kind in kinds)


@pytest.mark.parametrize("place", [place for place in BODIES if place not in OF_TODAY])
def test_a_body_of_an_old_dialect_is_never_complete(place: str) -> None:
    assert not told(BODIES[place]).complete


def test_a_body_of_today_that_lacks_something_is_not_complete() -> None:
    body = a("v1-current/membership.activated")
    del body["data"]["updated_at"]

    assert told(body).record is not None
    assert not told(body).complete


def test_one_pin_may_mix_dialects() -> None:
    body = a("v1-current/payment.succeeded") | {"data": BODIES["v1-legacy/payment.succeeded"]["data"]}

    found = told(body)

    assert found.record is not None
    assert found.record.fields["total"]["amount"] == "49.00"
    assert not found.complete


def test_a_record_that_was_deleted_is_told_so() -> None:
    assert told(BODIES["v1-current/product.deleted"]).is_deleted
    assert told(BODIES["v1-legacy/plan.deleted"]).is_deleted
    assert told(a("v1-current/product.updated", deleted=True)).is_deleted
    assert not told(BODIES["v1-current/product.updated"]).is_deleted


def test_an_id_says_more_than_an_old_name() -> None:
    body = {"action": "payment.refunded", "api_version": "v5", "data": BODIES["v5/payment.succeeded"]["data"]}

    found = told(body)

    assert found.name == "refund.updated"
    assert found.ref == Ref("whop", "payment", body["data"]["id"])


def test_an_old_event_of_a_user_is_about_the_user() -> None:
    found = told({"action": "user.updated", "data": {"id": "user_1", "username": "ada"}})

    assert (found.name, found.ref, found.record) == ("member.updated", Ref("whop", "user", "user_1"), None)


def test_what_nobody_knows_is_kept_by_name() -> None:
    found = told(BODIES["v1-current/unknown.gift.redeemed"])

    assert (found.name, found.ref, found.record, found.company) == ("gift.redeemed", None, None, COMPANY)


def test_a_record_that_cannot_be_read_is_still_known_by_its_id() -> None:
    found = told(a("v1-current/membership.activated", status=3))

    assert found.ref == Ref("whop", "membership", BODIES["v1-current/membership.activated"]["data"]["id"])
    assert found.record is None
    assert found.problem is not None
    assert found.problem.field == "status"


def test_a_null_that_may_be_a_missing_permission_is_unknown() -> None:
    body = a("v1-current/membership.activated", phone_number=None)

    found = told(body, {"membership": frozenset({"phone_number"})})

    assert found.record is not None
    assert "phone_number" not in found.record.fields


def test_an_event_of_two_companies_is_none() -> None:
    body = a("v1-current/membership.activated", account={"id": "biz_other", "title": "Other"})

    with pytest.raises(BadRecordError) as raised:
        told(body)

    assert raised.value.field == "account_id"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "event",
        3,
        {},
        {"type": "membership.activated"},
        {"type": 3, "data": {}},
        {"type": "", "data": {}},
        {"type": "membership.activated", "data": []},
    ],
)
def test_what_is_no_event_is_refused(body: object) -> None:
    with pytest.raises(BadRecordError):
        told(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(BODIES)), st.data())
def test_a_mutated_body_is_told_or_refused(place: str, data: st.DataObject) -> None:
    body = a(place)
    spot = data.draw(st.sampled_from([body, body["data"]]))
    spot[data.draw(st.sampled_from([*sorted(spot), "company", "deleted"]))] = data.draw(ANYTHING)

    with suppress(BadRecordError):
        assert isinstance(told(body), Told)
