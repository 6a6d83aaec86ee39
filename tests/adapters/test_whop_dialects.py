"""One record, whatever the dialect: what two dialects both say of an object is equal, the rest is unknown."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.core.records import SourceRecord
from connector.errors import BadRecordError
from connector.sources.whop import CATALOGUE
from connector.sources.whop.dialects import CURRENT, LEGACY, V2, V5, dialect_of
from connector.sources.whop.normalise import normalise

FIXTURES = Path(__file__).parents[1] / "fixtures" / "whop"
FOLDERS = {"v1-current": CURRENT, "v1-legacy": LEGACY, "v5": V5, "v2": V2}
#: What each dialect has to tell of a record that nobody may lose: enough for the mapping, or to ask Whop.
WHOLE = {
    ("product", LEGACY): "title route visibility created_at updated_at",
    ("plan", LEGACY): "account plan_type currency initial_price renewal_price product created_at updated_at",
    ("member", LEGACY): "status email phone_number user created_at joined_at usd_total_spent",
    ("membership", LEGACY): """account status product_id plan_id member_id user_id cancel_at_period_end
        canceled_at current_period_start current_period_end metadata created_at updated_at""",
    ("membership", V5): """account status product_id plan_id user_id cancel_at_period_end
        current_period_start current_period_end metadata created_at""",
    ("membership", V2): """status plan_id user_id cancel_at_period_end current_period_start
        current_period_end metadata created_at""",
    ("payment", LEGACY): """account_id status substatus membership_id member_id plan_id product_id currency
        total subtotal refunded_amount usd_total paid_at refunded_at created_at updated_at
        failure_message billing_reason next_payment_attempt_at""",
    ("payment", V5): """account_id status membership_id user plan_id product_id currency total subtotal
        refunded_amount paid_at refunded_at created_at next_payment_attempt_at""",
    ("payment", V2): """status membership_id user plan_id currency total subtotal refunded_amount paid_at
        refunded_at created_at next_payment_attempt_at""",
    ("refund", LEGACY): "status payment_id amount original_amount created_at",
    ("refund", V5): "account_id status payment_id amount original_amount created_at",
    ("dispute", LEGACY): """account_id status reason amount currency payment buyer plan_id product_id
        evidence_due_at created_at""",
    ("dispute", V5): "account_id status amount currency payment buyer created_at",
}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def kind_of(event: str) -> str | None:
    kind = event.removeprefix("app_").removeprefix("app.").partition(".")[0]
    return kind if kind in CATALOGUE.kinds else None


def every_old_item() -> Iterator[tuple[str, str, str, Any, Any]]:
    """Where it stands, kind, dialect, the item, and the same object in today's dialect."""
    for kind in CATALOGUE.order:
        for path in (FIXTURES / "legacy" / f"{kind}s").glob("*.json"):
            yield (
                f"legacy/{path.stem}",
                kind,
                LEGACY,
                read(path),
                read(FIXTURES / "current" / f"{kind}s" / path.name),
            )
        in_lists = {
            item["id"]: item
            for path in (FIXTURES / "current" / "lists").glob(f"{kind}s.*.json")
            for item in read(path)["data"]
        }
        for path in (FIXTURES / "legacy" / "lists").glob(f"{kind}s.*.json"):
            for old in read(path)["data"]:
                yield f"{path.stem}-{old['id']}", kind, LEGACY, old, in_lists[old["id"]]
    today = {path.name: path for path in (FIXTURES / "webhooks" / "v1-current").glob("*.json")}
    for folder, dialect in FOLDERS.items():
        for path in (FIXTURES / "webhooks" / folder).glob("*.json"):
            body = read(path)
            kind = kind_of(body.get("type") or body["action"])
            if kind and dialect != CURRENT:
                twin = today.get(path.name, today["membership.activated.json"])
                yield f"{folder}/{path.stem}", kind, dialect, body["data"], read(twin)["data"]


OLD = sorted(every_old_item(), key=lambda one: (one[1], one[0]))
BY_PLACE = pytest.mark.parametrize(
    ("kind", "dialect", "old", "new"), [one[1:] for one in OLD], ids=[f"{one[1]}-{one[0]}" for one in OLD]
)


def leaves(value: Any, at: str = "") -> dict[str, Any]:
    """Dotted path → value. Money is its amount and currency, in which way it is written out aside."""
    if not isinstance(value, dict) or not value:
        return {at: value}
    if value.keys() >= {"amount", "currency"} and isinstance(value["amount"], str):
        return {f"{at}.amount": value["amount"], f"{at}.currency": value["currency"]}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= leaves(inner, f"{at}.{name}" if at else name)
    return found


def test_the_fixtures_hold_every_dialect() -> None:
    assert {(kind, dialect) for _, kind, dialect, _, _ in OLD} == set(WHOLE)
    assert len(OLD) > 200


@BY_PLACE
def test_the_dialect_is_told_by_the_item(kind: str, dialect: str, old: Any, new: Any) -> None:
    told = dialect_of(kind, old)

    in_lists = "company" not in old and "payment" not in old and kind == "product"
    assert told == (CURRENT if in_lists else dialect)  # lists of products say the same in both
    assert dialect_of(kind, new) == CURRENT


@BY_PLACE
def test_dialects_agree_in_all_that_both_tell(kind: str, dialect: str, old: Any, new: Any) -> None:
    ours, todays = (leaves(normalise(kind, copy.deepcopy(item)).fields) for item in (old, new))

    both = ours.keys() & todays.keys()
    assert {path: ours[path] for path in both} == {path: todays[path] for path in both}
    assert {path for path in ours.keys() - todays.keys() if ours[path] is not None} == set()


@pytest.mark.parametrize("one", OLD, ids=lambda one: f"{one[1]}-{one[0]}")
def test_nothing_that_a_mapping_needs_is_lost(one: tuple[str, str, str, Any, Any]) -> None:
    place, kind, dialect, old, new = one
    fields, todays = normalise(kind, old).fields, normalise(kind, new).fields

    told = set(WHOLE[kind, dialect].split())
    if not place.startswith(
        ("legacy/", "v")
    ):  # its lists leave out the company, the buyer, the payment's sum
        told -= {"account", "account_id", "buyer", "original_amount"}
    if old.get("user", "") is None:
        told -= {"email"}
    if old.get("member", "") is None:
        told -= {"customer_phone"}

    assert told <= fields.keys()
    assert {name for name in told if fields[name] is None} <= {name for name in told if todays[name] is None}


@BY_PLACE
def test_what_a_dialect_does_not_tell_is_unknown_and_not_empty(
    kind: str, dialect: str, old: Any, new: Any
) -> None:
    ours, todays = (leaves(normalise(kind, item).fields) for item in (old, new))

    assert {path for path, value in ours.items() if value is None and todays.get(path) is not None} == set()


def an_old(kind: str, dialect: str) -> Any:
    return copy.deepcopy(next(old for _, of, told, old, _ in OLD if (of, told) == (kind, dialect)))


@pytest.mark.parametrize(
    ("kind", "dialect", "changes", "field"),
    [
        ("membership", LEGACY, {"user": "user_1"}, "user"),
        ("membership", LEGACY, {"renewal_period_end": 1795003200}, "current_period_end"),
        ("membership", LEGACY, {"plan": [1]}, "plan"),
        ("membership", V5, {"renewal_period_end": "tomorrow"}, "renewal_period_end"),
        ("membership", V5, {"created_at": 1e300}, "created_at"),
        ("membership", V5, {"page_id": 4}, "account.id"),
        ("payment", LEGACY, {"total": "49.00"}, "total"),
        ("payment", LEGACY, {"currency": None}, "currency"),
        ("payment", V2, {"final_amount": True}, "final_amount"),
        ("payment", V5, {"paid_at": True}, "paid_at"),
        ("refund", LEGACY, {"payment": 3}, "payment"),
        ("refund", V5, {"amount": float("inf")}, "amount"),
        ("dispute", LEGACY, {"amount": "a lot"}, "amount"),
        ("member", LEGACY, {"usd_total_spent": "838.00"}, "usd_total_spent"),
        ("plan", LEGACY, {"renewal_price": {}}, "renewal_price"),
    ],
)
def test_a_wrong_value_of_an_old_dialect_is_named(
    kind: str, dialect: str, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRecordError) as raised:
        normalise(kind, an_old(kind, dialect) | changes)

    assert raised.value.field == field


def test_a_dialect_without_such_records_is_named() -> None:
    with pytest.raises(BadRecordError, match="v5"):
        normalise("member", {"id": "mber_1", "created_at": 1795003200, "status": "joined"})


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just({}) | st.just([])
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(OLD), st.data())
def test_a_mutated_old_item_is_read_or_refused(one: Any, data: st.DataObject) -> None:
    _, kind, _, old, _ = one
    spot = item = copy.deepcopy(old)
    inner = [value for value in item.values() if isinstance(value, dict) and value]
    if inner and data.draw(st.booleans()):
        spot = data.draw(st.sampled_from(inner))
    spot[data.draw(st.sampled_from(sorted(spot)))] = data.draw(ANYTHING)

    with suppress(BadRecordError):
        assert isinstance(normalise(kind, item), SourceRecord)
