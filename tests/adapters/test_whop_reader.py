"""The reader against recorded answers: pages, single records, and every refusal of Whop's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from whop_builders import (
    ALL_GRANTED,
    COMPANY,
    CURRENT,
    FIXTURES,
    Recorded,
    a,
    a_page,
    answer,
    error,
    granted,
    read,
    reader,
    recorded_pages,
)

from connector.core.records import BadRecord, Page, Ref, SourceRecord
from connector.errors import BadRecordError, ConnectorError, ReconnectError, RefusedError, TryLaterError
from connector.outbound import OutboundResponse
from connector.ports import Reader
from connector.sources.whop import API_VERSION, CATALOGUE, WhopReader, headers
from connector.sources.whop.budgeted import BudgetedSession
from connector.sources.whop.granted import PERMISSIONS
from connector.sources.whop.vocabulary import NewWords


def refs(pages: Iterable[Page]) -> list[str]:
    return [item.ref.id for page in pages for item in page.items]


def test_the_reader_fills_its_port() -> None:
    port: Reader = reader(Recorded())

    assert port


# --- pages ---


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_pages_are_followed_to_the_last(kind: str) -> None:
    recorded = recorded_pages(kind)
    session = Recorded().on(f"/{kind}s", *recorded, error("500.internal"))

    pages = list(reader(session).pages(kind, None))

    assert refs(pages) == [item["id"] for body in recorded for item in body["data"]]
    assert all(isinstance(item, SourceRecord) for page in pages for item in page.items)
    assert [page.last for page in pages] == [False] * (len(recorded) - 1) + [True]
    assert [page.cursor for page in pages] == [body["page_info"]["end_cursor"] for body in recorded]


def test_each_request_names_the_company_and_the_order() -> None:
    first, middle, last = recorded_pages("membership")
    session = Recorded().on("/memberships", first, middle, last)

    list(reader(session, page_size=6).pages("membership", None))

    asked = session.params_of("/memberships")
    assert asked[0] == {"account_id": COMPANY, "first": 6, "order": "created_at", "direction": "asc"}
    assert [one.get("after") for one in asked[1:]] == [
        first["page_info"]["end_cursor"],
        middle["page_info"]["end_cursor"],
    ]
    assert session.versions == {API_VERSION}


def test_reading_goes_on_from_a_cursor() -> None:
    _, middle, last = recorded_pages("membership")
    session = Recorded().on("/memberships", middle, last)

    pages = list(reader(session).pages("membership", "kept"))

    assert session.params_of("/memberships")[0]["after"] == "kept"
    assert len(refs(pages)) == 10


def test_an_empty_list_is_one_last_page() -> None:
    session = Recorded().on("/memberships", read(CURRENT / "lists" / "memberships.empty.json"))

    assert list(reader(session).pages("membership", None)) == [Page((), None, last=True)]


def test_pages_are_read_only_as_they_are_wanted() -> None:
    session = Recorded().on("/products", *recorded_pages("product"))

    next(iter(reader(session).pages("product", None)))

    assert len(session.params_of("/products")) == 1


def test_without_a_company_the_one_of_the_key_is_read() -> None:
    session = Recorded().on("/products", *recorded_pages("product"))

    list(reader(session, company_id=None).pages("product", None))

    assert {one["account_id"] for one in session.params_of("/products")} == {COMPANY}


@pytest.mark.parametrize("back_to", ["one", "two", None, ""])
def test_a_cursor_that_comes_back_ends_the_reading(back_to: str | None) -> None:
    session = Recorded().on("/products", a_page([], "one", more=True), a_page([], "two", more=True))
    session.answers["/products"].append(answer(a_page([], back_to, more=True)))
    pages = reader(session).pages("product", None)

    assert [next(pages).cursor, next(pages).cursor] == ["one", "two"]
    with pytest.raises(TryLaterError) as raised:
        next(pages)

    assert raised.value.code == "source_paging"


def test_the_cursor_that_was_resumed_from_counts_as_seen() -> None:
    session = Recorded().on("/products", a_page([], "kept", more=True))

    with pytest.raises(TryLaterError, match="came back"):
        next(reader(session).pages("product", "kept"))


def test_a_last_page_may_repeat_the_cursor() -> None:
    session = Recorded().on("/products", a_page([], "kept"))

    assert list(reader(session).pages("product", "kept")) == [Page((), "kept", last=True)]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"data": [], "page_info": None},
        {"data": None, "page_info": {"has_next_page": False}},
        {"data": [], "page_info": {}},
        {"data": [], "page_info": {"has_next_page": "false"}},
        {"data": [], "page_info": {"has_next_page": True, "end_cursor": 3}},
    ],
)
def test_an_answer_of_another_form_is_never_an_end(body: Any) -> None:
    session = Recorded().on("/products", body)

    with pytest.raises(TryLaterError) as raised:
        list(reader(session).pages("product", None))

    assert raised.value.code == "source_answer"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RefusedError, match="invoice"):
        list(reader(Recorded()).pages("invoice", None))


# --- items that cannot be taken ---


def the_bad(item: object) -> BadRecordError:
    assert isinstance(item, BadRecord)
    assert isinstance(item.error, BadRecordError)
    return item.error


def test_an_unreadable_item_fails_alone() -> None:
    items = [a("member", "ada"), a("member", "max", status=7), a("member", "liv"), "nonsense"]
    session = Recorded().on("/members", a_page(items))

    (page,) = reader(session).pages("member", None)

    assert [type(item) for item in page.items] == [SourceRecord, BadRecord, SourceRecord, BadRecord]
    assert page.items[1].ref == Ref("whop", "member", items[1]["id"])
    assert the_bad(page.items[1]).field == "status"


def test_items_without_an_id_can_be_told_apart() -> None:
    items = [a("member", "ada", id=None), a("member", "max", id=None), "\ud800"]
    session = Recorded().on("/members", a_page(items[:2]))

    (page,) = reader(session).pages("member", None)

    assert len({item.ref.id for item in page.items}) == 2
    assert all(item.ref.id.startswith("unreadable-") for item in page.items)


def test_what_comes_twice_is_handed_on_twice() -> None:
    session = Recorded().on("/members", a_page([a("member", "ada"), a("member", "ada")]))

    (page,) = reader(session).pages("member", None)

    assert page.items[0] == page.items[1]


FOREIGN = {"id": "biz_other", "title": "Other", "route": "other"}


@pytest.mark.parametrize(
    ("kind", "stem", "changes"),
    [
        ("product", "signals", {"account": FOREIGN}),
        ("plan", "monthly", {"account": FOREIGN}),
        ("member", "ada", {"account_id": "biz_other"}),
        ("membership", "ada-monthly", {"account": FOREIGN}),
        ("membership", "ada-monthly", {"account": {"title": "No id"}}),
    ],
)
def test_another_company_s_record_is_not_taken(kind: str, stem: str, changes: dict[str, Any]) -> None:
    item = a(kind, stem, **changes)
    session = Recorded().on(f"/{kind}s", a_page([item])).on(f"/{kind}s/{item['id']}", item)

    (page,) = reader(session).pages(kind, None)
    fetched = reader(session).fetch(kind, [item["id"]])

    assert the_bad(page.items[0]).code == "foreign_record"
    assert the_bad(fetched[item["id"]]).code == "foreign_record"


def test_a_member_without_company_is_not_taken() -> None:
    item = a("member", "ada")
    del item["account_id"]

    (page,) = reader(Recorded().on("/members", a_page([item]))).pages("member", None)

    assert the_bad(page.items[0]).code == "foreign_record"


@pytest.mark.parametrize(
    ("kind", "stem", "name"),
    [
        ("product", "signals", "account"),
        ("plan", "monthly", "account"),
        ("payment", "noor-kw90", "account_id"),
        ("refund", "noor-partial", "account_id"),
        ("dispute", "ada-open", "account_id"),
    ],
)
def test_a_record_of_no_company_is_not_taken(kind: str, stem: str, name: str) -> None:
    item = a(kind, stem, **{name: None})
    session = Recorded().on(f"/{kind}s", a_page([item])).on(f"/{kind}s/{item['id']}", item)

    (page,) = reader(session).pages(kind, None)
    fetched = reader(session).fetch(kind, [item["id"]])

    assert the_bad(page.items[0]).code == "foreign_record"
    assert the_bad(fetched[item["id"]]).code == "foreign_record"


# --- fields that the credential may not read ---


def lacking(*permissions: str) -> Recorded:
    return Recorded().on(
        "/permissions", {"data": [{"action": one, "granted": one not in permissions} for one in PERMISSIONS]}
    )


def test_an_email_that_may_not_be_read_is_unknown() -> None:
    session = lacking("member:email:read").on(
        "/members", a_page([a("member", "ada", email=None, phone_number=None)])
    )

    (page,) = reader(session).pages("member", None)

    assert "email" not in page.items[0].fields
    assert page.items[0].fields["phone_number"] is None


def test_an_email_that_may_be_read_can_be_empty() -> None:
    session = Recorded().on("/members", a_page([a("member", "noemail")]))

    (page,) = reader(session).pages("member", None)

    assert page.items[0].fields["email"] is None


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("product", "access_pass:basic:read"),
        ("plan", "plan:basic:read"),
        ("member", "member:basic:read"),
        ("membership", "member:basic:read"),
    ],
)
def test_a_kind_that_may_not_be_read_is_not_taken_for_empty(kind: str, needed: str) -> None:
    session = lacking(needed).on(f"/{kind}s", a_page([]))

    for act in (lambda one: list(one.pages(kind, None)), lambda one: one.fetch(kind, ["x_1"])):
        with pytest.raises(ReconnectError, match=needed) as raised:
            act(reader(session))

        assert raised.value.code == "whop_scope"
    assert session.params_of(f"/{kind}s") == []


def test_permissions_are_asked_once_and_after_the_last_page() -> None:
    session = Recorded().on("/members", *recorded_pages("member")).on("/payments", *recorded_pages("payment"))
    one = reader(session)

    list(one.pages("member", None))
    list(one.pages("payment", None))
    one.fetch("member", ["mber_1"])

    lists = [path for path, _ in session.asked if path in ("/permissions", "/members", "/payments")]
    assert lists == ["/permissions", *["/members"] * 3, "/permissions", *["/payments"] * 3, "/permissions"]


def test_a_last_page_counts_only_while_it_may_be_read() -> None:
    short = a_page(recorded_pages("member")[0]["data"])
    session = Recorded().on("/members", short).on("/permissions", ALL_GRANTED, granted("plan:basic:read"))

    with pytest.raises(ReconnectError, match="member:basic:read") as raised:
        list(reader(session).pages("member", None))

    assert raised.value.code == "whop_scope"


def test_a_company_that_was_switched_off_is_no_empty_one() -> None:
    session = Recorded().on("/members", a_page([])).on("/permissions", ALL_GRANTED, granted())

    with pytest.raises(ReconnectError, match=COMPANY) as raised:
        list(reader(session).pages("member", None))

    assert raised.value.code == "whop_unseen"


def test_a_page_without_any_address_is_not_believed_before_asking() -> None:
    first, *others = recorded_pages("member")
    bare = a_page([item | {"email": None} for item in first["data"]], "c1", more=True)
    without = granted(*(one for one in PERMISSIONS if one != "member:email:read"))
    session = Recorded().on("/members", bare, *others).on("/permissions", ALL_GRANTED, without)

    pages = iter(reader(session).pages("member", None))

    assert all("email" not in item.fields for item in next(pages).items)


def many_pages(number: int, **changed: Any) -> list[dict[str, Any]]:
    item = a("member", "ada", **changed)
    return [a_page([item], f"c{place}", more=place < number) for place in range(1, number + 1)]


def test_where_nobody_has_a_phone_number_a_few_questions_prove_many_pages() -> None:
    session = Recorded().on("/members", *many_pages(45, phone_number=None))

    pages = list(reader(session).pages("member", None))

    assert len(pages) == 45
    assert [page.cursor for page in pages] == [f"c{place}" for place in range(1, 46)]
    assert all(page.items[0].fields["phone_number"] is None for page in pages)
    assert len(session.params_of("/permissions")) == 1 + 3


def test_no_page_that_waits_for_its_proof_is_taken_for_empty() -> None:
    without = granted(*(one for one in PERMISSIONS if one != "member:phone:read"))
    session = Recorded().on("/members", *many_pages(45, phone_number=None))
    session.on("/permissions", ALL_GRANTED, without)

    pages = list(reader(session).pages("member", None))

    assert all("phone_number" not in page.items[0].fields for page in pages)


def test_a_pass_that_goes_on_is_proven_at_its_end() -> None:
    session = Recorded().on("/members", *many_pages(3))

    list(reader(session).pages("member", "c0"))

    assert [path for path, _ in session.asked] == [*["/members"] * 3, "/permissions"]


def test_a_pass_that_goes_on_without_a_permission_takes_nothing_for_empty() -> None:
    session = lacking("member:phone:read").on("/members", *many_pages(3, phone_number=None))

    pages = list(reader(session).pages("member", "c0"))

    assert all("phone_number" not in page.items[0].fields for page in pages)


def test_new_words_are_kept_and_told_once() -> None:
    words = NewWords()
    odd = [a("membership", stem, status="frozen") for stem in ("ada-monthly", "max-monthly")]
    session = Recorded().on("/memberships", a_page(odd))

    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            items = [
                item
                for page in reader(session, new_words=words).pages("membership", None)
                for item in page.items
            ]

    assert [item.fields["status"] for item in items] == ["frozen", "frozen"]
    assert [(one["kind"], one["field"], one["word"]) for one in told] == [("membership", "status", "frozen")]


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_no_word_of_the_recordings_is_new(kind: str) -> None:
    session = Recorded().on(f"/{kind}s", *recorded_pages(kind))

    with structlog.testing.capture_logs() as told:
        list(reader(session).pages(kind, None))

    assert told == []


# --- leave to ask ---


class Leave:
    """A budget that writes down what it was asked for."""

    def __init__(self, told: list[str], operation: str) -> None:
        self.told, self.operation = told, operation

    @contextmanager
    def reserved(self, requests: int = 1) -> Iterator[None]:
        yield

    @contextmanager
    def sending(self) -> Iterator[None]:
        self.told.append(self.operation)
        yield

    def refused(self, limit: object) -> None:
        self.told.append(f"refused {self.operation}")


def test_every_request_has_leave_by_its_operation() -> None:
    told: list[str] = []
    ada = a("membership", "ada-monthly")
    session = Recorded().on(f"/memberships/{ada['id']}", ada).on("/memberships", error("429.rate-limit"))
    budgeted = BudgetedSession(session, lambda operation: Leave(told, operation))
    one = WhopReader(budgeted, company_id=None)

    one.fetch("membership", [ada["id"]])
    with pytest.raises(TryLaterError) as raised:
        list(one.pages("membership", None))

    assert told == [
        "GET /accounts/me",
        "GET /permissions",
        "GET /memberships/{id}",
        "GET /memberships",
        "refused GET /memberships",
    ]
    assert raised.value.after == 12


def test_a_wait_until_a_moment_is_told_by_the_clock_of_whop() -> None:
    sent = {"Date": "Fri, 20 Nov 2026 13:00:00 GMT", "Retry-After": "Fri, 20 Nov 2026 13:00:30 GMT"}
    session = Recorded().on("/members", answer({"error": {"type": "x", "message": ""}}, 429, **sent))

    with pytest.raises(TryLaterError) as raised:
        list(reader(session).pages("member", None))

    assert raised.value.after == 30


# --- single records ---


def test_records_are_fetched_by_id() -> None:
    ada, max_ = a("membership", "ada-monthly"), a("membership", "max-monthly")
    session = Recorded().on(f"/memberships/{ada['id']}", ada).on(f"/memberships/{max_['id']}", max_)

    found = reader(session).fetch("membership", [ada["id"], max_["id"], ada["id"]])

    assert list(found) == [ada["id"], max_["id"]]
    assert isinstance(found[ada["id"]], SourceRecord)
    assert found[ada["id"]].fields == ada
    assert len(session.params_of(f"/memberships/{ada['id']}")) == 1


def test_a_record_that_is_gone_is_absent() -> None:
    assert reader(Recorded()).fetch("membership", ["mem_gone"]) == {}


def test_nothing_is_asked_for_no_ids() -> None:
    session = Recorded()

    assert reader(session).fetch("membership", []) == {}
    assert session.asked == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>404</html>", 404, TryLaterError),
        (b"", 404, TryLaterError),
        ({"message": "no route"}, 404, RefusedError),
        ({"error": {"message": "stop"}}, 429, TryLaterError),
        ({"error": {"message": "no"}}, 403, ReconnectError),
    ],
)
def test_only_whop_s_own_404_is_an_absence(body: Any, status: int, kind: type[ConnectorError]) -> None:
    session = Recorded().on("/members/mber_1", answer(body, status))

    with pytest.raises(kind):
        reader(session).fetch("member", ["mber_1"])


def test_a_membership_found_by_its_licence_key_is_not_the_one() -> None:
    item = a("membership", "ada-monthly")
    session = Recorded().on("/memberships/NWTC-7K2M", item)

    found = reader(session).fetch("membership", ["NWTC-7K2M"])

    assert the_bad(found["NWTC-7K2M"]).field == "id"


@pytest.mark.parametrize("id_", ["..", ".", "", "mem 1", "mem_\u00e9", "m" * 101])
def test_what_cannot_be_an_id_is_not_asked_for(id_: str) -> None:
    session = Recorded()

    found = reader(session).fetch("product", [id_])

    assert the_bad(found[id_]).field == "id"
    assert {path for path, _ in session.asked} == {"/permissions"}


def test_an_id_stays_one_part_of_the_path() -> None:
    session = Recorded()

    reader(session).fetch("product", ["../accounts/me?x#y%2f"])

    assert session.asked[-1] == ("/products/..%2Faccounts%2Fme%3Fx%23y%252f", {})


# --- the account ---


def test_the_account_is_the_one_of_the_key() -> None:
    account = reader(Recorded(), company_id=None).account()

    assert (account.company_id, account.title, account.missing) == (COMPANY, "Northwind Trading Circle", ())


def test_permissions_that_are_missing_are_named() -> None:
    session = Recorded().on("/permissions", read(CURRENT / "permissions" / "oauth_partial.json"))

    assert reader(session).account().missing == ("member:email:read", "member:phone:read")
    asked = session.params_of("/permissions")[0]
    assert asked == {"resource_id": COMPANY, "actions": ",".join(PERMISSIONS)}


def test_a_permission_that_is_not_mentioned_is_missing() -> None:
    assert reader(Recorded().on("/permissions", {"data": []})).account().missing == PERMISSIONS


def test_the_key_of_another_company_is_refused() -> None:
    with pytest.raises(RefusedError) as raised:
        reader(Recorded(), company_id="biz_wanted").account()

    assert COMPANY in str(raised.value)
    assert "biz_wanted" in str(raised.value)
    assert raised.value.code == "whop_company"


@pytest.mark.parametrize("body", [None, [], {}, {"id": None}, {"id": 3, "title": "x"}])
def test_an_account_without_an_id_is_no_account(body: Any) -> None:
    with pytest.raises(TryLaterError):
        reader(Recorded().on("/accounts/me", body)).account()


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": ["member:basic:read"]}])
def test_permissions_of_another_form_are_not_guessed(body: Any) -> None:
    with pytest.raises(TryLaterError):
        reader(Recorded().on("/permissions", body)).account()


# --- refusals ---

REFUSALS = [
    ("400.bad-cursor", RefusedError, "source_cursor", None),
    ("400.bad-param", RefusedError, "whop_refused", None),
    ("400.bad-status", RefusedError, "whop_refused", None),
    ("400.docs-style-code-only", RefusedError, "whop_refused", None),
    ("400.idempotency-reuse", RefusedError, "whop_refused", None),
    ("400.unknown-version", RefusedError, "whop_retired", None),
    ("401.expired", ReconnectError, "whop_key", None),
    ("401.missing", ReconnectError, "whop_key", None),
    ("403.foreign-account", ReconnectError, "whop_scope", None),
    ("403.scope", ReconnectError, "whop_scope", None),
    ("404.not-found", RefusedError, "whop_not_found", None),
    ("409.conflict", RefusedError, "whop_conflict", None),
    ("410.gone", RefusedError, "whop_retired", None),
    ("422.not-refundable", RefusedError, "whop_refused", None),
    ("422.validation", RefusedError, "whop_refused", None),
    ("429.rate-limit", TryLaterError, "source_rate", 12),
    ("429.rate-limit.no-header", TryLaterError, "source_rate", 12),
    ("500.internal", TryLaterError, "source_trouble", None),
    ("502.html", TryLaterError, "source_trouble", None),
]


def refused(given: OutboundResponse) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        list(reader(Recorded().on("/members", given)).pages("member", None))
    return raised.value


def test_no_error_fixture_is_forgotten() -> None:
    assert {name for name, *_ in REFUSALS} == {path.stem for path in (FIXTURES / "errors").glob("*.json")}


@pytest.mark.parametrize(("name", "kind", "code", "after"), REFUSALS)
def test_each_refusal_says_what_to_do(
    name: str, kind: type[ConnectorError], code: str, after: float | None
) -> None:
    err = refused(error(name))

    assert type(err) is kind
    assert err.code == code
    assert getattr(err, "after", None) == after
    assert str(err)


def test_the_lacking_permission_is_named() -> None:
    err = refused(error("403.scope"))

    assert "member:basic:read" in str(err)
    assert "member:basic:read" in err.remedy


def test_a_refusal_repeats_whop_s_reason() -> None:
    assert "status must be one of open" in str(refused(error("400.bad-status")))


@pytest.mark.parametrize(
    ("sent", "text", "after"),
    [
        ({"Retry-After": "3"}, "Try again in 12 seconds.", 3),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"Retry-After": "Fri, 20 Nov 2026 12:00:00 GMT"}, "Try again in 2 minutes.", 120),
        ({"Retry-After": "inf"}, "Try again in 1 second.", 1),
        ({}, "Slow down.", 10),
        ({}, "", 10),
    ],
)
def test_the_wait_is_the_one_whop_asks_for(sent: dict[str, str], text: str, after: float) -> None:
    err = refused(answer({"error": {"message": text}}, 429, **sent))

    assert isinstance(err, TryLaterError)
    assert err.after == after


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 418, 429, 500, 503])
@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b'{"data": [', b"\xff\xfe"])
def test_what_is_not_json_is_passing_trouble(status: int, body: bytes) -> None:
    assert isinstance(refused(answer(body, status)), TryLaterError)


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 408, 409, 410, 418, 422, 429, 500, 503])
@pytest.mark.parametrize(
    "body", [None, [], {}, {"error": "x"}, {"error": {"message": 3, "code": [], "param": {}}}]
)
def test_an_error_of_any_form_is_told_in_our_words(status: int, body: Any) -> None:
    assert isinstance(refused(answer(body, status)), RefusedError | ReconnectError | TryLaterError)


@pytest.mark.parametrize("status", [202, 206, 302])
def test_a_page_counts_only_with_its_200(status: int) -> None:
    assert isinstance(refused(answer(recorded_pages("member")[-1], status)), RefusedError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 429, 500])
def test_no_refusal_repeats_a_credential(status: int) -> None:
    key = "apik_3vQdXn5RkT2yLw8sZbHc6JmA_C4291"

    err = refused(answer({"error": {"message": f"No access for Bearer {key} ({key})"}}, status))

    assert key not in f"{err} {err.remedy}"


def test_headers_carry_the_key_and_the_version() -> None:
    assert headers("apik_1") == {"Authorization": "Bearer apik_1", "Api-Version-Date": "2026-10-15-1"}
