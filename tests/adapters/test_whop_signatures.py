"""Who may deliver: both signature schemes against Whop's own vectors, and all that is not quite one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sources.whop import envelope
from connector.sources.whop.deliveries import Dialect
from connector.sources.whop.envelope import Unreadable
from connector.sources.whop.gate import WINDOW, Forged, Scheme, Secret, check

VECTORS = json.loads(
    (Path(__file__).parent.parent / "fixtures/whop/webhooks/signed-vectors.json").read_text(encoding="utf-8")
)["vectors"]
CURRENT = [one for one in VECTORS if one.get("webhook_signature")]
OLD = [one for one in VECTORS if one.get("legacy_x_whop_signature")]
FIRST = VECTORS[0]


def moment(vector: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(vector["webhook_timestamp"], UTC)


def headers(vector: dict[str, Any], **changed: str) -> dict[str, str]:
    found = {
        "webhook-id": vector["webhook_id"],
        "webhook-timestamp": str(vector["webhook_timestamp"]),
        "webhook-signature": vector["webhook_signature"],
    }
    return {**found, **{name.replace("_", "-"): value for name, value in changed.items()}}


def secret(vector: dict[str, Any], scheme: Scheme = Scheme.STANDARD) -> Secret:
    return Secret(scheme, vector["secret"].encode())


def refused(raw: bytes, given: dict[str, str], *secrets: Secret, now: datetime | None = None) -> str:
    with pytest.raises(Forged) as error:
        check(raw, given, secrets or [secret(FIRST)], now or moment(FIRST))
    return error.value.reason


@pytest.mark.parametrize("vector", CURRENT, ids=lambda one: one["name"])
def test_what_whop_signed_is_believed(vector: dict[str, Any]) -> None:
    signed = check(vector["body"].encode(), headers(vector), [secret(vector)], moment(vector))

    assert (signed.scheme, signed.id) == (Scheme.STANDARD, vector["webhook_id"])


@pytest.mark.parametrize("vector", OLD, ids=lambda one: one["name"])
def test_the_old_header_is_believed_where_its_secret_is_for_it(vector: dict[str, Any]) -> None:
    raw, given = vector["body"].encode(), {"x-whop-signature": vector["legacy_x_whop_signature"]}

    signed = check(raw, given, [secret(vector, Scheme.LEGACY)], moment(vector))

    assert (signed.scheme, signed.id, signed.at) == (Scheme.LEGACY, "", moment(vector))
    assert refused(raw, given, secret(vector), now=moment(vector)) == "wrong"


def test_each_changed_byte_is_noticed() -> None:
    raw = FIRST["body"].encode()

    for place in range(0, len(raw), 7):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert refused(changed, headers(FIRST)) == "wrong"


def test_time_and_id_are_signed_too() -> None:
    raw = FIRST["body"].encode()

    assert refused(raw, headers(FIRST, webhook_id="msg_other")) == "wrong"
    assert refused(raw, headers(FIRST, webhook_timestamp=str(FIRST["webhook_timestamp"] + 1))) == "wrong"


@pytest.mark.parametrize("late", [WINDOW + timedelta(seconds=1), -WINDOW - timedelta(seconds=1)])
def test_an_old_or_early_delivery_is_not_believed(late: timedelta) -> None:
    raw = FIRST["body"].encode()

    assert refused(raw, headers(FIRST), now=moment(FIRST) + late) == "stale"
    assert check(raw, headers(FIRST), [secret(FIRST)], moment(FIRST) + late * 0.99)


@pytest.mark.parametrize("absent", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_the_headers_nothing_is_believed(absent: str) -> None:
    given = headers(FIRST)
    del given[absent]

    assert refused(FIRST["body"].encode(), given) == "missing"


@pytest.mark.parametrize("odd", ["", "v1,", "v1,%%%", "v2,abc", "v1a,abc", "x" * 5_000])
def test_a_signature_that_is_none_fits_nothing(odd: str) -> None:
    assert refused(FIRST["body"].encode(), headers(FIRST, webhook_signature=odd)) in ("wrong", "missing")


@pytest.mark.parametrize("odd", ["now", "-5", "1.5", "9" * 13, "٣", "99999999999"])
def test_a_time_that_is_none_is_refused(odd: str) -> None:
    assert refused(FIRST["body"].encode(), headers(FIRST, webhook_timestamp=odd)) in ("malformed", "stale")


def test_while_a_secret_is_changed_both_are_good() -> None:
    raw, old = FIRST["body"].encode(), secret(FIRST)
    new = Secret(Scheme.STANDARD, b"ws_another")

    assert check(raw, headers(FIRST), [new, old], moment(FIRST))
    assert refused(raw, headers(FIRST), new) == "wrong"


def test_one_right_signature_among_several_is_enough() -> None:
    given = headers(
        FIRST, webhook_signature=f"v1,{base64.b64encode(b'x' * 32).decode()} {FIRST['webhook_signature']}"
    )

    assert check(FIRST["body"].encode(), given, [secret(FIRST)], moment(FIRST))


def test_no_secret_means_nobody_is_believed() -> None:
    with pytest.raises(Forged):
        check(FIRST["body"].encode(), headers(FIRST), [], moment(FIRST))


@given(
    st.binary(max_size=300), st.dictionaries(st.sampled_from(sorted(headers(FIRST))), st.text(max_size=60))
)
def test_random_deliveries_are_refused_and_nothing_worse(raw: bytes, odd: dict[str, str]) -> None:
    with pytest.raises(Forged):
        check(raw, {**headers(FIRST), **odd}, [secret(FIRST)], moment(FIRST))


# --- the envelope


@pytest.mark.parametrize(
    ("body", "dialect", "company"),
    [
        (
            {"type": "a.b", "api_version_date": "2026-10-15-1", "account_id": "biz_1"},
            Dialect.CURRENT,
            "biz_1",
        ),
        ({"type": "a.b", "api_version_date": None, "company_id": "biz_1"}, Dialect.LEGACY, "biz_1"),
        ({"type": "a.b", "data": {"company": {"id": "biz_1"}}}, Dialect.LEGACY, "biz_1"),
        ({"action": "a.b", "api_version": "v5", "data": {"page_id": "biz_1"}}, Dialect.V5, "biz_1"),
        ({"action": "app_a.b", "company": "biz_1", "data": {}}, Dialect.V2, "biz_1"),
        ({"action": "a.b", "data": {"company_id": None}}, Dialect.V2, None),
        (
            {"action": "a.b", "api_version": "v5", "data": {"payment": {"company_id": "biz_1"}}},
            Dialect.V5,
            "biz_1",
        ),
        ({"type": "a.b", "api_version_date": "2026-10-15-1", "account_id": ["biz_1"]}, Dialect.CURRENT, None),
    ],
)
def test_dialect_and_company_are_told_from_the_body(
    body: dict[str, Any], dialect: Dialect, company: str | None
) -> None:
    found = envelope.read(json.dumps(body).encode(), "msg_1")

    assert (found.dialect, found.company_id, found.id) == (dialect, company, "msg_1")


def test_a_delivery_without_an_id_is_known_by_its_bytes() -> None:
    raw = b'{"action": "membership.went_valid"}'

    assert envelope.read(raw, "").id == envelope.read(raw, "").id != envelope.read(raw + b" ", "").id


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"not json", "not_json"),
        (b"[" * 5_000, "not_json"),
        (b"\xff", "not_json"),
        (b"[]", "not_an_event"),
        (b"null", "not_an_event"),
        (b"{}", "no_type"),
        (b'{"type": 7}', "no_type"),
        (b'{"type": ""}', "no_type"),
        (b'{"type": "' + b"x" * 81 + b'"}', "no_type"),
    ],
)
def test_what_is_no_event_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        envelope.read(raw, "msg_1")

    assert error.value.reason == reason


@given(
    st.dictionaries(
        st.sampled_from(["type", "action", "data", "company", "timestamp", "api_version"]),
        st.none() | st.text() | st.integers() | st.lists(st.text()),
    )
)
def test_odd_envelopes_are_read_or_refused_and_nothing_worse(body: dict[str, Any]) -> None:
    try:
        found = envelope.read(json.dumps(body).encode(), "msg_1")
    except Unreadable:
        return
    assert found.type
