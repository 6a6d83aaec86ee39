"""The list of records to decide: what it shows, and what its buttons do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from desk import HOSTILE, Desk, desk
from entering import NOON, send

from connector.core.records import Ref
from connector.store import audit, reviews
from connector.store.links import Claimed
from connector.store.reviews import Question, Review

ADA, GRETA = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def here(sqlite_template: Any, tmp_path: Any) -> Iterator[Desk]:
    copy = tmp_path / "connector.db"
    copy.write_bytes(sqlite_template.read_bytes())
    with desk(f"sqlite:///{copy}") as opened:
        yield opened


def a_candidate(id_: str, **changed: Any) -> dict[str, Any]:
    values = {
        "name": {"firstName": "Ada", "lastName": "Bergström"},
        "emails": {"primaryEmail": "ada@example.com"},
    }
    told = {"id": id_, "fits": ["emails"], "values": values, "further": {}, "deleted": False, "holder": None}
    times = {"created_at": "2026-01-02T03:04:05.000Z", "updated_at": "2026-02-03T04:05:06.000Z"}
    return {**told, **times, **changed}


def ask(here: Desk, id_: str = "mber_1", *, only_one: bool = False, title: str = "Ada Bergström") -> Review:
    other = a_candidate(GRETA, further={"emails": ["ada@example.com"]}, holder="member mber_7", deleted=True)
    said = {"emails": {"primaryEmail": "ada@example.com"}, "whopUserId": "user_1"}
    question = Question(
        Ref("whop", "member", id_), title, "several", said, [a_candidate(ADA), other], only_one=only_one
    )
    claims = Claimed(here.workspace.id, here.connection.id, "whop", "member", "person")
    with here.door.parts.database.transaction() as session:
        reviews.ask(session, claims, [question], NOON)
        asked = reviews.find(session, here.workspace.id, "person", [question.ref])
        return reviews.get(session, here.workspace.id, asked[question.ref].id)


def now(here: Desk, one: Review) -> Review:
    with here.door.parts.database.reading() as session:
        return reviews.get(session, here.workspace.id, one.id)


def press(here: Desk, one: Review, **fields: str) -> str:
    """Send the form of a decision; the page one lands on."""
    at = f"/review/{one.id}"
    answer = send(here.browser, at, at=at, **{"version": one.version, **fields})
    assert answer.status_code == 303, answer.text
    return here.page(answer.headers["Location"])


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_without_questions_the_list_says_so(here: Desk) -> None:
    page = here.page("/review")

    assert "Nothing waits for you" in page
    assert 'class="count warn"' not in page


def test_what_waits_is_listed_counted_and_told_on_the_overview(here: Desk) -> None:
    one = ask(here)
    ask(here, "mber_2", title=HOSTILE)

    listed, overview = here.page("/review"), here.page("/")

    assert f'href="/review/{one.id}"' in listed
    assert HOSTILE not in listed
    assert HOSTILE in unescape(listed)
    assert re.search(r'class="count warn">2<', listed)
    assert "2 records fit more than one in Twenty" in text_of(overview)
    assert f'href="/review?connection={here.connection.id}"' in overview
    assert re.search(r'<a class="tile" href="/review">.*?<b>2</b>', overview, re.DOTALL)


def test_a_record_stands_beside_what_it_may_be(here: Desk) -> None:
    one = ask(here)

    page = here.page(f"/review/{one.id}")
    text = text_of(page)

    assert "Fits more than one" in text
    assert f"{here.workspace.crm_url.rstrip('/')}/object/person/{ADA}" in page
    assert "ada@example.com" in text
    assert "member mber_7" in text
    assert "deleted" in text
    assert "It is Twenty 1" in text
    assert "It is Twenty 2" in text
    assert "style=" not in page.split("<main")[1]


def test_linking_is_remembered_with_who_did_it(here: Desk) -> None:
    one = ask(here)

    page = press(here, one, decision="link", crm_id=GRETA)

    decided = now(here, one)
    assert (decided.state, decided.choice, decided.crm_id) == ("decided", "link", GRETA)
    assert decided.decided_by == "marta"
    assert "Tied together" in page
    with here.door.parts.database.reading() as session:
        (event,) = (e for e in audit.shown(session, here.workspace.id, "") if e.what == "review_decided")
    assert event.about == {"record": "member mber_1", "choice": "link", "linked_to": GRETA}


@pytest.mark.parametrize("choice", ["create", "ignore"])
def test_the_other_buttons_need_no_candidate(here: Desk, choice: str) -> None:
    one = ask(here)

    press(here, one, decision=choice)

    assert now(here, one).choice == choice


def test_after_a_decision_the_next_one_is_shown(here: Desk) -> None:
    one, other = ask(here), ask(here, "mber_2", title="Greta Lind")

    assert "<h1" in (page := press(here, one, decision="ignore"))
    assert "Greta Lind" in page.split("<h1")[1].split("</h1>")[0]
    assert "Nothing waits for you" in press(here, other, decision="ignore")


def test_where_there_is_one_already_none_is_made(here: Desk) -> None:
    one = ask(here, only_one=True)

    page = here.page(f"/review/{one.id}")

    assert re.search(r"<button[^>]*disabled[^>]*>Make a new person", page)
    assert "This cannot be chosen" in press(here, one, decision="create")
    assert now(here, one).state == "waiting"


def test_a_choice_from_an_old_page_is_not_taken(here: Desk) -> None:
    one = ask(here)

    page = press(here, one, decision="link", crm_id=ADA, version="from another day")

    assert "What there is to choose from has changed" in page
    assert now(here, one).state == "waiting"


@pytest.mark.parametrize("choice", ["", "destroy"])
def test_a_choice_that_is_none_is_refused(here: Desk, choice: str) -> None:
    one = ask(here)

    assert send(here.browser, f"/review/{one.id}", at=f"/review/{one.id}", decision=choice).status_code == 400


def test_a_decision_is_taken_back(here: Desk) -> None:
    one = ask(here)
    press(here, one, decision="ignore")
    decided = here.page("/review?show=decided")
    assert "Left out" in decided
    assert "by marta" in decided

    at = f"/review/{one.id}"
    answer = send(here.browser, f"{at}/take-back", at=at)

    assert answer.status_code == 303
    assert "Taken back" in here.page(at)
    assert now(here, one).choice is None
    with here.door.parts.database.reading() as session:
        done = [event.what for event in audit.shown(session, here.workspace.id, "")]
    assert done[:2] == ["review_taken_back", "review_decided"]


def test_taking_back_nothing_is_told(here: Desk) -> None:
    one = ask(here)

    send(here.browser, f"/review/{one.id}/take-back", at=f"/review/{one.id}")

    assert "There is no decision to take back" in here.page(f"/review/{one.id}")


def test_another_workspace_has_nothing_to_decide_here(here: Desk) -> None:
    one, other = ask(here), here.door.add_workspace("Another")
    stranger = here.door.signed_in(here.door.add_operator("stranger"))
    send(stranger, "/workspace", at="/workspace", workspace=other.id)

    assert stranger.get(f"/review/{one.id}").status_code == 404
    assert "Ada" not in stranger.get("/review").text
    for action in ("", "/take-back"):
        sent = send(
            stranger, f"/review/{one.id}{action}", at="/workspace", decision="ignore", version=one.version
        )
        assert sent.status_code == 404
    assert now(here, one).state == "waiting"
