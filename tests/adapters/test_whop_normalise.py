"""Whop's items become records in today's names, or a BadRecordError: nothing else, ever."""

import copy
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.core.records import Ref, SourceRecord
from connector.errors import BadRecordError
from connector.sources.whop import CATALOGUE
from connector.sources.whop.catalogue import ROLL_UPS
from connector.sources.whop.money import money
from connector.sources.whop.normalise import normalise, owner
from connector.sources.whop.times import canonical_time

FIXTURES = Path(__file__).parents[1] / "fixtures" / "whop"
COMPANY = "biz_4QxLq2mTn8VrYe"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
PYTHON = {
    "text": str,
    "id": str,
    "time": str,
    "number": (int, float),
    "boolean": bool,
    "money": dict,
    "list": list,
    "object": dict,
}


STEMS = {
    "product": "signals",
    "plan": "monthly",
    "member": "ada",
    "membership": "ada-monthly",
    "payment": "noor-kw90",
    "refund": "noor-partial",
    "dispute": "ada-open",
    "user": "ada",
}
#: What Whop sends as a bare number although it is money, in the currency beside it.
PRICES = {
    "plan": (
        "initial_price",
        "renewal_price",
        "strike_through_initial_price",
        "strike_through_renewal_price",
    ),
    "dispute": ("amount",),
}
PLACES = {"jpy": 0, "kwd": 3}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def every_item() -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, where it stands, item: single reads, lists and the edge files of the current dialect."""
    found = []
    for kind in CATALOGUE.order:
        singles = [
            *(FIXTURES / "current" / f"{kind}s").glob("*.json"),
            *(FIXTURES / "edge").glob(f"{kind}.*"),
        ]
        found += [(kind, path.name, read(path)) for path in singles]
        for path in (FIXTURES / "current" / "lists").glob(f"{kind}s.*.json"):
            found += [(kind, f"{path.name}[{n}]", item) for n, item in enumerate(read(path)["data"])]
    return sorted(found, key=lambda one: one[:2])


ITEMS = every_item()


def a(kind: str, **changes: Any) -> dict[str, Any]:
    stem = STEMS[kind]
    return read(FIXTURES / "current" / f"{kind}s" / f"{stem}.json") | changes


def leaves(kind: str, value: Any, at: str = "") -> dict[str, Any]:
    """Dotted path → value, down to what the catalogue gives a type."""
    if not isinstance(value, dict) or CATALOGUE.kinds[kind].get(at) in ("money", "object"):
        return {at: value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= leaves(kind, inner, f"{at}.{name}" if at else name)
    return found


def as_money(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """The item with its bare prices as money, by a way of its own."""
    places = PLACES.get(item.get("currency", ""), 2)
    return item | {
        name: {
            "amount": str(Decimal(item[name]).quantize(Decimal(1).scaleb(-places))),
            "currency": item["currency"],
        }
        for name in PRICES.get(kind, ())
        if item[name] is not None
    }


def fits_the_catalogue(record: SourceRecord) -> bool:
    types = CATALOGUE.kinds[record.ref.kind]
    known = {path: value for path, value in leaves(record.ref.kind, record.fields).items() if path in types}
    return all(
        value is None
        or (
            isinstance(value, PYTHON[types[path]])
            and (types[path] == "boolean" or not isinstance(value, bool))
            and (types[path] != "time" or TIME.fullmatch(value))
        )
        for path, value in known.items()
    )


# --- the catalogue and the fixtures ---


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_catalogue_and_fixtures_name_the_same_fields(kind: str) -> None:
    seen = {
        path
        for of, where, item in ITEMS
        if of == kind and "extra" not in where
        for path in leaves(kind, item)
    }
    # An object that is null somewhere shows as a leaf there; its parts stand for it.
    seen -= {path for path in seen if any(other.startswith(f"{path}.") for other in seen)}

    assert seen - {"client_secret"} == set(CATALOGUE.kinds[kind]) - set(ROLL_UPS)


def test_parents_come_before_their_children() -> None:
    assert set(CATALOGUE.order) == set(CATALOGUE.kinds)
    assert CATALOGUE.order.index("member") < CATALOGUE.order.index("membership")


def test_times_of_whop_stand_at_the_top_only() -> None:
    nested = {
        path
        for of in CATALOGUE.kinds.values()
        for path, type_ in of.items()
        if type_ == "time" and "." in path
    }

    assert nested == {"payments.last_paid_at"}


# --- what is read ---


@pytest.mark.parametrize(("kind", "where", "item"), ITEMS, ids=[f"{k}-{w}" for k, w, _ in ITEMS])
def test_every_fixture_is_read_as_it_stands(kind: str, where: str, item: dict[str, Any]) -> None:
    record = normalise(kind, copy.deepcopy(item))

    assert record.ref == Ref("whop", kind, item["id"])
    expected = as_money(kind, item)
    if expected.get("client_secret"):
        del expected["client_secret"]
    assert record.fields == expected
    assert record.updated_at == item.get("updated_at")
    assert owner(kind, record.fields) == COMPANY
    assert fits_the_catalogue(record)


def test_an_item_in_canonical_form_is_not_copied() -> None:
    item = a("membership")

    assert normalise("membership", item).fields is item


def test_unknown_words_and_fields_survive() -> None:
    item = a("membership", status="frozen_by_aliens", brand_new={"a": [1]})

    fields = normalise("membership", item).fields

    assert fields["status"] == "frozen_by_aliens"
    assert fields["brand_new"] == {"a": [1]}


def test_roll_ups_are_unknown_whatever_whop_calls_payments() -> None:
    assert "payments" not in normalise("membership", a("membership", payments=[1])).fields


def test_a_field_that_was_left_out_stays_unknown() -> None:
    item = a("membership")
    del item["current_period_end"], item["updated_at"]

    record = normalise("membership", item)

    assert "current_period_end" not in record.fields
    assert record.updated_at is None


def test_a_withheld_null_is_unknown_and_not_empty() -> None:
    item = a("member", email=None)

    fields = normalise("member", item, frozenset({"email", "phone_number"})).fields

    assert "email" not in fields
    assert fields["phone_number"] == "+46701740605"
    assert item["email"] is None


def test_a_withheld_null_inside_is_unknown_too() -> None:
    item = a("dispute")
    item["buyer"] |= {"email": None, "name": None}

    buyer = normalise("dispute", item, frozenset({"buyer.email"})).fields["buyer"]

    assert "email" not in buyer
    assert buyer["name"] is None
    assert item["buyer"]["email"] is None


def test_a_payments_secret_is_no_field() -> None:
    assert "client_secret" not in normalise("payment", a("payment", client_secret="pi_1_secret_2")).fields


def test_a_person_is_read_but_not_mapped() -> None:
    record = normalise("user", a("user"))

    assert record.ref == Ref("whop", "user", "user_dNEZMZhbh8x8gD")
    assert record.fields["username"] == "adaberg"
    assert "user" not in CATALOGUE.kinds


@pytest.mark.parametrize(
    ("sent", "currency", "amount"),
    [
        (49.0, "usd", "49.00"),
        (49, "usd", "49.00"),
        (0.1, "usd", "0.10"),
        (0.1 + 0.2, "usd", "0.30"),
        (5.005, "kwd", "5.005"),
        (25.0, "kwd", "25.000"),
        (4400, "jpy", "4400"),
        (4400.0, "JPY", "4400"),
        (12.345, "usd", "12.345"),
        (1e16, "usd", "10000000000000000.00"),
        (1e-7, "btc", "0.0000001"),
        (-1.5, "eur", "-1.50"),
        (1234567.89, "cop", "1234567.89"),
        (9007199254740993, "vnd", "9007199254740993"),
    ],
)
def test_prices_become_exact_amounts_of_their_currency(sent: float, currency: str, amount: str) -> None:
    fields = normalise("dispute", a("dispute", amount=sent, currency=currency)).fields

    assert fields["amount"] == {"amount": amount, "currency": currency}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.decimals(min_value=0, max_value=10**10, places=3))
def test_no_amount_is_changed_on_its_way_through_a_number(amount: Decimal) -> None:
    sent = json.loads(f'{{"amount": {amount}}}')["amount"]

    assert Decimal(money(sent, "kwd")["amount"]) == amount


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("2026-11-20T12:00:00.000Z", "2026-11-20T12:00:00.000Z"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z"),
        ("2026-11-20T13:30:00.5+01:30", "2026-11-20T12:00:00.500Z"),
        ("2026-11-20T12:00:00.123999+00:00", "2026-11-20T12:00:00.123Z"),
        ("2026-11-20 12:00:00.000Z", "2026-11-20T12:00:00.000Z"),
        ("2026-W47-5T12:00:00.000Z", "2026-11-20T12:00:00.000Z"),
    ],
)
def test_times_become_utc_with_milliseconds(sent: str, canonical: str) -> None:
    record = normalise("membership", a("membership", updated_at=sent, canceled_at=sent))

    assert record.updated_at == record.fields["canceled_at"] == canonical


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # it loads the zones first
@given(st.datetimes(timezones=st.timezones()))
def test_any_time_with_an_offset_keeps_its_moment(moment: Any) -> None:
    try:
        text = canonical_time(moment.isoformat())
    except ValueError:
        assert moment.year in (1, 9999)
        return

    assert TIME.fullmatch(text)
    assert canonical_time(text) is text


# --- what is refused ---


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("member", {"id": None}, "id"),
        ("member", {"id": 7}, "id"),
        ("member", {"id": ""}, "id"),
        ("member", {"id": "mber 1"}, "id"),
        ("member", {"id": "m" * 101}, "id"),
        ("membership", {"status": 3}, "status"),
        ("membership", {"status": None}, "status"),
        ("membership", {"updated_at": "yesterday"}, "updated_at"),
        ("membership", {"updated_at": None}, "updated_at"),
        ("membership", {"updated_at": 1795003200}, "updated_at"),
        ("membership", {"created_at": "2026-02-30T12:00:00.000Z"}, "created_at"),
        ("membership", {"created_at": "2026-02-20T12:00:00.000"}, "created_at"),
        ("membership", {"expires_at": "0001-01-01T00:00:00+05:00"}, "expires_at"),
        ("membership", {"cancel_at_period_end": 1}, "cancel_at_period_end"),
        ("membership", {"renewal_price": "49.00"}, "renewal_price"),
        ("membership", {"renewal_price": {"amount": 49.0, "currency": "usd"}}, "renewal_price"),
        ("membership", {"member_id": ["mber_1"]}, "member_id"),
        ("membership", {"account": "biz_1"}, "account"),
        ("member", {"user": "user_1"}, "user"),
        ("member", {"user": {"id": 1}}, "user.id"),
        ("member", {"user": {"profile_picture": {"url": 1}}}, "user.profile_picture.url"),
        ("member", {"token_balance": True}, "token_balance"),
        ("product", {"labels": "trading"}, "labels"),
        ("plan", {"initial_price": "49.00"}, "initial_price"),
        ("plan", {"renewal_price": True}, "renewal_price"),
        ("plan", {"currency": 1}, "currency"),
        ("payment", {"total": 49.0}, "total"),
        ("payment", {"substatus": None}, "substatus"),
        ("payment", {"paid_at": "soon"}, "paid_at"),
        ("refund", {"payment_id": None}, "payment_id"),
        ("refund", {"amount": {"amount": "1.00"}}, "amount"),
        ("dispute", {"amount": float("nan")}, "amount"),
        ("dispute", {"amount": None}, "amount"),
        ("dispute", {"payment": {"id": 3}}, "payment.id"),
    ],
)
def test_a_wrong_value_is_named(kind: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRecordError) as raised:
        normalise(kind, a(kind, **changes))

    assert raised.value.field == field
    assert raised.value.expected
    assert raised.value.found


@pytest.mark.parametrize("item", [None, [], "mem_1", 3, True])
def test_what_is_no_object_is_refused(item: object) -> None:
    with pytest.raises(BadRecordError, match="membership"):
        normalise("membership", item)


# --- whatever Whop may send ---

#: In a fresh checkout the first text drawn waits a second or two for Hypothesis's tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A fixture with up to three of its values, at any depth, replaced, removed or joined by another."""
    kind, _, item = draw(st.sampled_from(ITEMS))
    item = copy.deepcopy(item)
    for _ in range(draw(st.integers(1, 3))):
        spot = item
        while (inner := [one for one in spot.values() if isinstance(one, dict)]) and draw(st.booleans()):
            spot = draw(st.sampled_from(inner))
        name = draw(st.sampled_from([*sorted(spot), "company", "payments"]))
        if draw(st.booleans()):
            spot[name] = draw(ANYTHING)
        else:
            spot.pop(name, None)
    return kind, item


@unhurried
@given(mutated())
def test_a_mutated_item_is_read_or_refused(given_: tuple[str, Any]) -> None:
    kind, item = given_
    try:
        record = normalise(kind, item, frozenset({"email", "phone_number"}))
    except BadRecordError:
        return

    assert fits_the_catalogue(record)
    assert record.updated_at is None or TIME.fullmatch(record.updated_at)


@unhurried
@given(st.sampled_from(CATALOGUE.order), ANYTHING)
def test_anything_at_all_is_refused_in_our_words(kind: str, item: object) -> None:
    with pytest.raises(BadRecordError):
        normalise(kind, item)
