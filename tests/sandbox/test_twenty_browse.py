"""The plain pages of the sandbox CRM: what a person sees there, and what a browser may not be told."""

from html.parser import HTMLParser
from typing import Any

import pytest
from twenty_helpers import Clock, Twenty, email

EVIL = "<script>alert('name')</script>"
ESCAPED = "&lt;script&gt;alert(&#39;name&#39;)&lt;/script&gt;"


class Page(HTMLParser):
    """The text, the links and the tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_data(self, data: str) -> None:
        self.words += f" {data.strip()}" if data.strip() else ""


@pytest.fixture
def twenty() -> Twenty:
    return Twenty().with_fields()


def page(twenty: Twenty, path: str) -> Page:
    answer = twenty.client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def person(twenty: Twenty, first: str, last: str, **values: Any) -> str:
    return str(twenty.person(name={"firstName": first, "lastName": last}, **values)["id"])


def opportunity(twenty: Twenty, **values: Any) -> str:
    made = twenty.create("Opportunities", "id", [values])
    return str(made["data"]["createOpportunities"][0]["id"])


def delete(twenty: Twenty, row_id: str) -> None:
    assert twenty.send("DELETE", f"/rest/people/{row_id}?soft_delete=true").status_code == 200
    assert twenty.by_id(row_id)["deletedAt"] is not None


def test_the_first_page_counts_and_leads_to_the_lists(twenty: Twenty) -> None:
    person(twenty, "Ada", "Bergström")
    delete(twenty, person(twenty, "Max", "Gone"))

    found = page(twenty, "/")

    assert "Sandbox CRM" in found.words
    assert "People 1 1" in found.words
    assert any(link.startswith("/objects/people") for link in found.links)
    assert all(twenty.client.get(link).status_code == 200 for link in found.links)


def test_every_workspace_is_on_the_first_page() -> None:
    found = page(Twenty(workspaces=2), "/")

    assert "Workspace Acme" in found.words
    assert "Workspace Globex" in found.words


def test_a_list_shows_one_workspace_alone() -> None:
    twenty = Twenty(workspaces=2)
    person(twenty, "Ada", "Bergström")

    assert "Ada Bergström" in page(twenty, "/objects/people?workspace=0").words
    assert "Nothing here yet" in page(twenty, "/objects/people?workspace=1").words
    assert twenty.client.get("/objects/people?workspace=7").status_code == 404


def test_a_list_has_the_newest_first_and_pages() -> None:
    clock = Clock()
    twenty = Twenty(now=clock)
    twenty.with_fields().people(
        [{"name": {"firstName": "Number", "lastName": f"{at:03}"}} for at in range(60)]
    )
    clock.at += 1
    person(twenty, "Very", "New", id="00000000-0000-4000-8000-000000000000")

    first, second = page(twenty, "/objects/people"), page(twenty, "/objects/people?page=2")

    names = [word for word in first.words.split("Name", 1)[1].split() if word in ("Very", "Number")]
    assert (names[0], len(names)) == ("Very", 50)
    assert second.words.count("Number") == 11
    assert any("page=2" in link for link in first.links)
    assert not any("page=3" in link for link in second.links)
    assert "Nothing here" in page(twenty, "/objects/people?page=9").words


@pytest.mark.parametrize("text", ["BERGSTR", "ada.b@example.com", "user_1", "  ada "])
def test_a_list_is_searched_by_text(twenty: Twenty, text: str) -> None:
    person(twenty, "Ada", "Bergström", emails=email("ada.b@example.com"), whopUserId="user_1")
    person(twenty, "Max", "Other")

    answer = twenty.client.get("/objects/people", query_string={"q": text})

    assert "Ada Bergström" in Page(answer.text).words
    assert "Max Other" not in Page(answer.text).words


def test_a_record_has_the_address_that_a_real_twenty_gives_it(twenty: Twenty) -> None:
    values = {"emails": email("ada@example.com", "ada@work.example"), "whopUserId": "user_1"}
    row_id = person(twenty, "Ada", "Bergström", **values)

    found = page(twenty, f"/object/person/{row_id}")

    assert "Ada Bergström" in found.words
    assert "Emails ada@example.com, ada@work.example" in found.words
    assert "Whop user ID user_1" in found.words
    assert "Whop joined at empty" in found.words
    assert f"/object/person/{row_id}" in page(twenty, "/objects/people").links


def test_amounts_and_relations_are_shown_both_ways(twenty: Twenty) -> None:
    contact = person(twenty, "Ada", "Bergström")
    money = {"amountMicros": 4_400_125_000, "currencyCode": "KWD"}
    row_id = opportunity(twenty, name="Signals", amount=money, pointOfContactId=contact)

    deal, ada = page(twenty, f"/object/opportunity/{row_id}"), page(twenty, f"/object/person/{contact}")

    assert "Amount 4,400.125 KWD" in deal.words
    assert "Point of contact Ada Bergström" in deal.words
    assert f"/object/person/{contact}" in deal.links
    assert f"/object/opportunity/{row_id}" in ada.links
    assert f"/object/person/{contact}" in page(twenty, "/objects/opportunities").links


def test_deleted_records_are_shown_and_marked(twenty: Twenty) -> None:
    row_id = person(twenty, "Max", "Gone")
    opportunity(twenty, name="Signals", pointOfContactId=row_id)
    delete(twenty, row_id)

    for path in ("/objects/people", f"/object/person/{row_id}", "/objects/opportunities"):
        assert "Max Gone deleted" in page(twenty, path).words


def test_what_stands_in_records_is_text_and_never_markup(twenty: Twenty) -> None:
    row_id = person(twenty, EVIL, '"><img src=x onerror=alert(1)>', jobTitle=EVIL)
    deal = opportunity(twenty, name=EVIL, pointOfContactId=row_id)
    paths = ["/objects/people", f"/object/person/{row_id}", "/objects/opportunities"]

    for path in [*paths, f"/object/opportunity/{deal}", "/objects/people?q=%3Cscript%3E%22"]:
        answer = twenty.client.get(path)
        assert {"script", "img", "style"}.isdisjoint(Page(answer.text).tags), path
        assert not [name for name in Page(answer.text).attributes if name.startswith("on")]
    assert ESCAPED in twenty.client.get(f"/object/person/{row_id}").text


def test_a_note_is_shown_on_the_record_it_is_about(twenty: Twenty) -> None:
    row_id = person(twenty, "Ada", "Bergström")
    note = twenty.create("Notes", "id", [{"title": "Called her"}])["data"]["createNotes"][0]["id"]
    twenty.create("NoteTargets", "id", [{"noteId": note, "targetPersonId": row_id}])

    found = page(twenty, f"/object/person/{row_id}")

    assert "Note targets Called her" in found.words
    assert f"/object/note/{note}" in found.links
    assert f"/object/person/{row_id}" not in found.links
    assert "Ada Bergström" in page(twenty, f"/object/note/{note}").words


def test_a_record_without_a_name_can_still_be_opened(twenty: Twenty) -> None:
    row_id = str(twenty.person(emails=email("x@example.com"))["id"])

    assert f"without a name, {row_id[:8]}" in page(twenty, "/objects/people").words


@pytest.mark.parametrize(
    "path", ["/objects/unicorns", "/object/person/00000000-0000-4000-8000-000000000000", "/object/unicorn/1"]
)
def test_what_is_not_there_is_a_page_too(twenty: Twenty, path: str) -> None:
    answer = twenty.client.get(path)

    assert answer.status_code == 404
    assert "Nothing is here" in answer.text


def test_a_page_number_that_is_none_is_the_first_page(twenty: Twenty) -> None:
    person(twenty, "Ada", "Bergström")

    for number in ("0", "-3", "x"):
        assert "Ada Bergström" in page(twenty, f"/objects/people?page={number}").words


def test_pages_allow_no_script_and_bring_their_own_style(twenty: Twenty) -> None:
    answer = twenty.client.get("/")

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    with twenty.client.get("/browse/browse.css") as style:
        assert style.content_type.startswith("text/css")


def test_looking_costs_no_rate_and_counts_as_no_request(twenty: Twenty) -> None:
    twenty.client.delete("/sandbox/stats")

    twenty.client.get("/objects/people")

    assert twenty.client.get("/sandbox/stats").get_json()["requests"]["total"] == 0
