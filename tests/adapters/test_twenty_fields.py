"""Values: what is canonical stays so through Twenty, and nothing odd ever raises anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twenty_builders import Sandbox, a_create, a_file, a_sandbox, an_id, an_update

from connector.core.mapping import ValueProblem, key_text
from connector.crms.twenty import fields, values
from connector.crms.twenty.fields import CATALOGUE, TYPES

words = st.text(max_size=30)
odd_words = st.text("\x00\ud800 a/:@%?#[]+.0٣\n")
plain = st.none() | st.booleans() | st.integers() | st.floats() | words | odd_words
PARTS = sorted({part for type_ in TYPES.values() for part in type_.parts})
keys = st.sampled_from(PARTS) | words
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS) | words, inner, max_size=4)
    ),
    max_leaves=8,
)
types = st.sampled_from(sorted(TYPES))

hosts = st.from_regex(r"[A-Za-z0-9]{1,8}\.(com|co\.uk|test)(:[1-9][0-9]{0,3})?", fullmatch=True)
tails = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), max_size=20)
coded = st.lists(
    st.sampled_from(["%2F", "%20", "%3F", "%25", "%zz", "%ff", "%C3%BC", "a", "/", "?", "#", "ü"]), max_size=8
)
links = st.builds(
    lambda scheme, host, tail: f"{scheme}{host}/{tail}",
    st.sampled_from(["https://", "http://", "HTTPS://", ""]),
    hosts,
    tails | coded.map("".join),
)
phones = st.one_of(
    st.from_regex(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True),
    st.from_regex(r"\+46 ?70 [0-9]{3} [0-9]{2} [0-9]{2}", fullmatch=True),
    st.from_regex(r"\+4407[0-9]{9}", fullmatch=True),
    st.from_regex(r"\+3906[0-9]{8}", fullmatch=True),
    st.from_regex(r"\+49[0-9]{5,12}", fullmatch=True),
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "number": st.integers(-(2**53), 2**53) | st.floats(-(2**53), 2**53, allow_subnormal=False),
    "boolean": st.booleans(),
    "date_time": st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z"),
    "currency": st.fixed_dictionaries(
        {"amountMicros": st.integers(-(2**53), 2**53), "currencyCode": st.sampled_from(["USD", "", None])}
    ),
    "full_name": words | st.fixed_dictionaries({"firstName": words, "lastName": words | st.none()}),
    "emails": st.from_regex(r" ?[A-Za-zÄÖÜİß0-9.+_-]{1,12}@[A-Za-z0-9.-]{1,12} ?", fullmatch=True),
    "phones": phones,
    "links": links,
}  # fmt: skip


def fits(type_: str, value: Any) -> Any:
    """Its canonical form; None too for what is refused as it should be."""
    try:
        return TYPES[type_].canonical(value)
    except ValueProblem:
        return None


@given(types, anything)
@settings(max_examples=400)
@example("currency", "12")
@example("full_name", ["Ada"])
@example("links", "https://[bad")
@example("links", "https://a.b:port/")
@example("phones", {"primaryPhoneNumber": 12})
@example("number", float("nan"))
@example("date_time", "2026-13-01T00:00:00.000Z")
def test_odd_values_are_refused_in_words_or_taken(type_: str, value: Any):
    taken = fits(type_, value)

    assert taken is None or orjson.dumps(taken)
    assert "\x00" not in str(taken)


@given(types, anything)
@settings(max_examples=400)
def test_whatever_is_stored_can_be_read_and_written_over(type_: str, raw: Any):
    row = {"field": raw}

    found = fields.read_back(type_, raw)
    fields.as_change(type_, None, row["field"])

    assert found is None or key_text(found) is not None


MORE = [{"url": "https://a.com/two", "label": "Two"}]


@pytest.mark.parametrize(
    ("type_", "value", "now", "sent"),
    [
        (
            "links",
            {"primaryLinkUrl": "https://a.com/new"},
            {"primaryLinkUrl": "https://a.com", "primaryLinkLabel": "Shop", "secondaryLinks": MORE},
            {"primaryLinkUrl": "https://a.com/new", "primaryLinkLabel": "Shop", "secondaryLinks": MORE},
        ),
        (
            "emails",
            {"primaryEmail": "b@a.com"},
            {"primaryEmail": "a@a.com", "additionalEmails": ["b@a.com", "c@a.com"]},
            {"primaryEmail": "b@a.com", "additionalEmails": ["c@a.com"]},
        ),
        (
            "phones",
            {"primaryPhoneNumber": "+46701740605"},
            {"primaryPhoneNumber": "1", "additionalPhones": [{"number": "2"}]},
            {"primaryPhoneNumber": "+46701740605", "additionalPhones": [{"number": "2"}]},
        ),
    ],
)
def test_parts_that_are_not_ours_are_sent_as_they_are(type_: str, value: Any, now: Any, sent: Any):
    """What is left out of these, Twenty empties."""
    assert fields.as_change(type_, value, now) == sent


def stored(type_: str, sent: Any) -> Any:
    """How Twenty stores and shows what was sent, by what the recordings tell."""
    if type_ in ("text", "select"):
        return sent or ""
    if type_ == "emails":
        return {"additionalEmails": [], "primaryEmail": sent["primaryEmail"].lower()}
    if type_ == "links":
        scheme, separator, rest = sent["primaryLinkUrl"].partition("://")
        return {**sent, "primaryLinkUrl": _stored_url(scheme, rest) if separator else scheme}
    if type_ == "phones":
        number = values.phonenumbers.parse(sent["primaryPhoneNumber"], None)
        national = values.phonenumbers.national_significant_number(number)
        return {"primaryPhoneNumber": national, "primaryPhoneCallingCode": f"+{number.country_code}"}
    return orjson.loads(orjson.dumps(sent))


def _stored_url(scheme: str, rest: str) -> str:
    place = min([rest.find(sign) for sign in "?#" if sign in rest], default=len(rest))
    host, slash, path = rest[:place].partition("/")
    decoded = values.unquote(path)
    return f"{scheme}://{host.lower()}{slash}{decoded}{rest[place:]}".removesuffix("/")


@pytest.mark.parametrize("type_", sorted(GOOD))
def test_what_was_written_reads_back_as_the_same_value(type_: str):
    @given(GOOD[type_])
    @settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
    def there_and_back(value: Any):
        canonical = fits(type_, value)
        if canonical is None:
            return
        sent = fields.as_change(type_, canonical, None)
        assert fields.read_back(type_, stored(type_, sent)) == canonical
        assert sent is None or orjson.dumps(fields.read_back(type_, stored(type_, sent))) == orjson.dumps(
            canonical
        )
        if type_ != "links":  # a link that holds a decoded % reads as another one
            assert fits(type_, canonical) == canonical

    there_and_back()


MAPPING = a_file(
    "  name: {from: id}\n"
    "  aNumber: {from: renewal_price.amount, using: number, type: number, label: N}\n"
    "  aBoolean: {from: cancel_at_period_end, type: boolean, label: B}\n"
    "  aTime: {from: created_at, type: date_time, label: T}\n"
    "  amount: {from: renewal_price, using: money}\n"
    "  aLink: {from: status, using: trim, type: links, label: L}\n"
    "  anEmail: {from: status, using: trim, type: emails, label: E}\n"
    "  aPhone: {from: status, using: trim, type: phones, label: P}\n"
    "  aName: {from: status, using: trim, type: full_name, label: F}\n"
)
COLUMNS = {
    "text": "name", "number": "aNumber", "boolean": "aBoolean", "date_time": "aTime", "currency": "amount",
    "links": "aLink", "emails": "anEmail", "phones": "aPhone", "full_name": "aName",
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as running:
        running.schema.apply([MAPPING])
        yield running


@given(st.fixed_dictionaries({type_: GOOD[type_] for type_ in COLUMNS}))
@settings(max_examples=40, deadline=None)
def test_every_type_comes_back_from_a_server_as_it_was_written(sandbox: Sandbox, drawn: dict[str, Any]):
    wanted = {COLUMNS[type_]: fits(type_, value) for type_, value in drawn.items()}
    there = {name: value for name, value in wanted.items() if value is not None}
    write = a_create("opportunity", an_id(), **there)

    [made] = sandbox.apply(MAPPING, write)

    assert made.error is None, made.error
    found = sandbox.look(MAPPING, write.crm_id)[0].by_id
    assert found.values == wanted
    sandbox.apply(MAPPING, an_update(write, made, found.raw, **wanted))
    assert sandbox.values(MAPPING, write.crm_id) == wanted


@pytest.mark.parametrize(
    ("type_", "value", "canonical"),
    [
        ("text", "a\x00b", "ab"),
        ("text", "\x00", None),
        ("emails", "  Ada@Example.COM ", {"primaryEmail": "ada@example.com"}),
        ("emails", "", None),
        ("phones", "+46 (70) 174-06 05", {"primaryPhoneNumber": "+46701740605"}),
        ("phones", "+4407912345678", {"primaryPhoneNumber": "+447912345678"}),
        ("links", "https://WHOP.com/Path/", {"primaryLinkUrl": "https://whop.com/Path"}),
        ("links", "https://a.com/%C3%BC%20b?q=%20", {"primaryLinkUrl": "https://a.com/ü b?q=%20"}),
        ("links", "https://user:secret@a.com:443/x", {"primaryLinkUrl": "https://a.com/x"}),
        ("links", "https://a.com/%3F%2F", {"primaryLinkUrl": "https://a.com"}),
        ("links", "whop.com/x", {"primaryLinkUrl": "whop.com/x"}),
        ("full_name", "Ada", {"firstName": "Ada", "lastName": ""}),
        ("full_name", {"firstName": "", "lastName": None}, None),
        ("currency", {"amountMicros": 1, "currencyCode": ""}, {"amountMicros": 1, "currencyCode": None}),
        ("currency", {"amountMicros": None, "currencyCode": "USD"}, None),
        ("number", 5.0, 5),
    ],
)
def test_canonical(type_: str, value: Any, canonical: Any):
    assert TYPES[type_].canonical(value) == canonical


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("currency", {"amountMicros": 2**53 + 1}),
        ("currency", {"amountMicros": 1.5}),
        ("currency", {"amountMicros": True}),
        ("number", 2**53 + 1),
        ("number", True),
        ("emails", "two words@example.com"),
        ("emails", ["a@b.c"]),
        ("phones", "0701740605"),
        ("phones", "+999123456789"),
        ("links", "mailto:a@b.c"),
        ("links", "https://"),
        ("links", "two words"),
        ("links", {"primaryLinkUrl": ["https://a.b"]}),
        ("date_time", "2026-02-30T00:00:00.000Z"),
        ("date_time", "2026-02-03"),
        ("date_time", "٢٠٢٦-02-03T00:00:00.000Z"),
        ("boolean", 1),
        ("select", 3),
    ],
)
def test_what_twenty_would_refuse_is_refused_before_it(type_: str, value: Any):
    with pytest.raises(ValueProblem):
        TYPES[type_].canonical(value)


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        ("text", "", None),
        ("date_time", "2026-11-20T09:00:00+01:00", "2026-11-20T08:00:00.000Z"),
        ("number", 5.0, 5),
        ("currency", {"amountMicros": "49", "currencyCode": ""}, {"amountMicros": 49, "currencyCode": None}),
        ("currency", {"amountMicros": None, "currencyCode": "USD"}, None),
        ("emails", {"additionalEmails": ["x@y.z"], "primaryEmail": ""}, None),
        ("phones", {"primaryPhoneNumber": "7 1", "additionalPhones": []}, {"primaryPhoneNumber": "7 1"}),
        ("links", {"primaryLinkUrl": "", "primaryLinkLabel": "x"}, None),
        ("select", "ACTIVE", "ACTIVE"),
        ("relation", None, None),
    ],
)  # fmt: skip
def test_reading_back(type_: str, raw: Any, value: Any):
    assert fields.read_back(type_, raw) == value


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Payment Failed", "PAYMENT_FAILED"),
        ("Café", "CAFE"),
        ("7 days", "OPTION_7_DAYS"),
        ("!", ""),
    ],
)
def test_the_value_of_an_option(label: str, value: str):
    assert CATALOGUE.select_value(label) == value


def test_options_in_another_script_have_values_of_their_own():
    made = {CATALOGUE.select_value(label) for label in ("有効", "無効")}

    assert len(made) == 2
    assert all(value.isascii() and value == value.upper() for value in made)
