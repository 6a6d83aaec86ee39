"""What somebody who is signed in sees, and what the buttons do."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from desk import HOSTILE, Desk, a_connection, a_failure, a_person, an_update, desk
from entering import NOON, send

from connector.core.outcomes import Result
from connector.errors import ParentMissingError
from connector.store import audit, connections, runs
from connector.web import assets

LIMIT = 150_000  # bytes of a page with everything it loads


@pytest.fixture
def here(sqlite_template: Any, tmp_path: Any) -> Iterator[Desk]:
    copy = tmp_path / "connector.db"
    copy.write_bytes(sqlite_template.read_bytes())
    with desk(f"sqlite:///{copy}") as opened:
        yield opened


@pytest.fixture
def full(here: Desk) -> Desk:
    """Two runs, one of them with failures, and records that stand in every way."""
    here.run([a_person(), a_person("mber_2", Result.UNCHANGED, after=None)], at=NOON - timedelta(days=1))
    skipped = a_person("mber_3", Result.SKIPPED, reason="filtered", after=None, title="")
    missing = a_failure("mber_8", ParentMissingError("member mber_8: its person failed."))
    here.run([an_update(), skipped, a_failure(), missing], status="partial")
    here.linked("mber_1", "mber_2")
    here.linked("mber_9", state="failed")
    return here


class Outline(HTMLParser):
    """What a page is made of, for the rules that hold on every page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def text_of(page: str) -> str:
    """What is read of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def latest(here: Desk) -> runs.Run:
    with here.door.parts.database.reading() as session:
        return runs.of_workspace(session, here.workspace.id, limit=1)[0]


def connection(here: Desk) -> connections.Connection:
    with here.door.parts.database.reading() as session:
        return connections.get(session, here.workspace.id, here.connection.id)


def press(here: Desk, path: str, *, at: str = "/connections", **fields: str) -> str:
    """Press a button that stands on the page ``at``; the page one lands on."""
    answer = send(here.browser, path, at=at, **fields)
    assert answer.status_code == 303, answer.text
    return here.page(answer.headers["Location"])


def paths(here: Desk) -> list[str]:
    run = f"/runs/{latest(here).id}"
    disconnect = f"/connections/{here.connection.id}/disconnect"
    return ["/", "/connections", disconnect, "/runs", run, "/log", "/errors", "/errors/crm_duplicate"]


def test_every_page_keeps_the_rules_of_the_house(full: Desk) -> None:
    for path in paths(full):
        page = full.page(path)
        outline = Outline(page)

        assert len(outline.all("h1")) == 1, path
        assert outline.all("html")[0]["lang"] == "en"
        assert outline.all("a")[0]["href"] == "#content"
        assert [one["id"] for one in outline.all("main")] == ["content"]
        assert not any("style" in attributes for _, attributes in outline.tags)
        assert not any(name.startswith("on") for _, attributes in outline.tags for name in attributes)
        assert all(one.get("src") for one in outline.all("script"))
        assert "Northlight Academy</title>" in page
        assert not re.search(r"\b(None|Undefined)\b", text_of(page)), path


def test_every_form_that_changes_something_carries_the_token(full: Desk) -> None:
    for path in paths(full):
        forms = re.findall(r'<form[^>]*method="post".*?</form>', full.page(path), re.DOTALL)

        assert forms
        assert all('name="csrf_token"' in form for form in forms), path


def test_a_button_without_the_token_does_nothing(here: Desk) -> None:
    here.browser.post(f"/connections/{here.connection.id}/pause")

    assert not connection(here).paused


def test_pages_are_for_those_who_are_signed_in(full: Desk) -> None:
    stranger = full.door.browser()
    for path in paths(full):
        answer = stranger.get(path)

        assert answer.status_code == 303, path
        assert answer.headers["Location"].startswith("/sign-in")


def test_another_workspace_has_none_of_this(full: Desk) -> None:
    run, other = latest(full).id, full.door.add_workspace("Another")
    stranger = full.door.signed_in(full.door.add_operator("stranger"))
    send(stranger, "/workspace", at="/workspace", workspace=other.id)

    for path in (f"/runs/{run}", f"/runs/{run}/live", f"/runs/{run}/entries.csv"):
        assert stranger.get(path).status_code == 404, path
    assert stranger.get(f"/connections/{full.connection.id}/disconnect").status_code == 404
    for path in ("/", "/connections", "/runs?idle=show", "/log", "/log.csv", "/errors/parent_missing"):
        assert "Robert" not in stranger.get(path).text, path
        assert full.connection.id not in stranger.get(path).text, path
    for action in (f"/runs/{run}/retry", f"/connections/{full.connection.id}/pause"):
        assert send(stranger, action, at="/workspace").status_code == 404
    assert not connection(full).paused


# --- overview


def test_without_a_connection_the_overview_leads_to_whop(here: Desk) -> None:
    with here.door.parts.database.transaction() as session:
        connections.disconnect(session, here.workspace.id, here.connection.id)
    empty = here.door.add_workspace("Empty")
    send(here.browser, "/workspace", at="/workspace", workspace=empty.id)

    page = here.page("/")

    assert "No company connected" in page
    assert 'href="/connect/whop">Connect Whop</a>' in page


def test_what_needs_a_person_comes_first(full: Desk) -> None:
    with full.door.parts.database.transaction() as session:
        connections.mark(session, full.workspace.id, full.connection.id, "expired")

    text = text_of(full.page("/"))

    assert text.index("access to Whop ended") < text.index("1 record failing") < text.index("In step")


def test_numbers_are_doors_and_nothing_is_none(full: Desk) -> None:
    page = full.page("/")

    assert re.search(r'<a class="tile" href="/log\?result=failed">.*?<b>1</b>', page, re.DOTALL)
    assert re.search(r'<div class="tile zero">.*?To decide</span><b>0</b>', page, re.DOTALL)


def test_a_run_that_stopped_is_told_with_what_to_do(here: Desk) -> None:
    here.run(status="failed", error={"code": "whop_scope", "message": "The key lacks member:phone:read."})

    page = here.page("/")
    run = here.page(f"/runs/{latest(here).id}")

    assert "Sync 1 stopped" in page
    assert "The key lacks member:phone:read." in run
    assert 'href="/errors/whop_scope"' in run


# --- connections


def test_sync_now_starts_a_run_and_shows_it(here: Desk) -> None:
    page = press(here, f"/connections/{here.connection.id}/sync")

    assert "Sync started" in page
    assert latest(here).why == "Manually by marta"
    assert latest(here).type == "full"


def test_pressing_twice_shows_the_one_that_is_under_way(here: Desk) -> None:
    press(here, f"/connections/{here.connection.id}/sync")
    first = latest(here)

    page = press(here, f"/connections/{here.connection.id}/sync")

    assert "A sync is under way already" in page
    assert f"Sync {first.number}" in page
    assert latest(here).id == first.id


def test_a_paused_connection_says_so_and_can_go_on(here: Desk) -> None:
    page = press(here, f"/connections/{here.connection.id}/pause")
    assert connection(here).paused
    assert "Paused" in page

    refused = press(here, f"/connections/{here.connection.id}/sync")
    assert "The syncs of this company are paused" in refused

    press(here, f"/connections/{here.connection.id}/resume")
    assert not connection(here).paused


def test_notes_and_tasks_are_switched_off_and_on_and_begin_anew(here: Desk) -> None:
    path = f"/connections/{here.connection.id}"
    since = here.connection.notes_since
    page = here.page(path)
    assert "On: what has happened" in page if since else "Off: what happens" in page
    assert "payment failed" in page

    send(here.browser, f"{path}/notes", at=path, on="")
    assert connection(here).notes_since is None
    assert "Off: what happens" in here.page(path)

    send(here.browser, f"{path}/notes", at=path, on="yes")
    began = connection(here).notes_since
    assert began is not None
    send(here.browser, f"{path}/notes", at=path, on="yes")
    assert connection(here).notes_since == began


def test_disconnecting_asks_first_and_then_forgets_the_access(full: Desk) -> None:
    path = f"/connections/{full.connection.id}/disconnect"
    asked = full.page(path)
    assert "Disconnect, keep 2 records" in asked
    assert connection(full).status == "active"

    page = press(full, path, at=path)

    assert (connection(full).status, connection(full).secret_sealed) == ("revoked", None)
    assert "is disconnected" in page
    assert full.browser.get(path).status_code == 404


def test_what_is_done_is_in_the_audit_log(here: Desk) -> None:
    for action in ("sync", "pause", "resume", "disconnect"):
        press(here, f"/connections/{here.connection.id}/{action}")

    with here.door.parts.database.reading() as session:
        found = audit.shown(session, here.workspace.id, "nobody")

    told = [event.what for event in found if event.about]
    assert told[:4] == ["disconnect", "sync_resumed", "sync_paused", "sync_started"]


# --- runs


def test_runs_that_changed_nothing_are_hidden_until_asked_for(here: Desk) -> None:
    here.run([a_person("a", Result.UNCHANGED, after=None)], why="Hourly and idle")
    here.run([an_update()], why="Hourly and busy")

    page = here.page("/runs")

    assert "Hourly and busy" in page
    assert "Hourly and idle" not in page
    assert "1 sync that changed nothing is hidden" in text_of(page)
    assert "Hourly and idle" in here.page("/runs?idle=show")


def test_filters_that_leave_nothing_can_be_cleared(full: Desk) -> None:
    page = full.page("/runs?status=cancelled")

    assert "No sync fits these filters" in page
    assert "No record fits these filters" in full.page("/log?q=nobody")


def test_a_run_groups_its_failures_by_cause(full: Desk) -> None:
    page = full.page(f"/runs/{latest(full).id}")

    assert "Why 2 records failed" in page
    for code in ("crm_bad_value", "parent_missing"):
        assert f"?error={code}#records" in page
        assert f'href="/errors/{code}"' in page
        assert f'name="error" value="{code}"' in page


def test_a_record_shows_what_was_and_what_is(full: Desk) -> None:
    text = text_of(full.page(f"/runs/{latest(full).id}?result=updated"))

    assert "3 fields: amount, stage, whop renewal date" in text
    assert "Amount ¥12,000 ¥12,800" in text
    assert "Stage Customer Proposal" in text
    assert "Whop renewal date empty 2026-12-01 00:00:00 UTC" in text


def test_a_record_leads_to_its_counterpart_in_twenty(full: Desk) -> None:
    page = full.page(f"/runs/{latest(full).id}?result=updated")

    address = "https://crm.example.com/object/opportunity/11111111-2222-4333-8444-555555555555"
    assert f'href="{address}"' in page


def test_a_failure_leads_there_too_where_its_record_is_in_twenty(here: Desk) -> None:
    here.run([a_failure("mber_1", crm_id="c-1"), a_failure("mber_2")], status="partial")

    page = here.page(f"/runs/{latest(here).id}?result=failed")

    assert page.count("Open in Twenty") == 1
    assert 'href="https://crm.example.com/object/person/c-1"' in page


def test_a_failure_shows_what_twenty_said(full: Desk) -> None:
    page = full.page(f"/runs/{latest(full).id}?error=crm_bad_value")

    assert "Provided phone number is invalid +00 000</blockquote>" in page
    assert "Not written" in page


def test_hostile_names_are_text(full: Desk) -> None:
    for path in ("/log", f"/runs/{latest(full).id}", "/errors/crm_bad_value", f"/log?q={HOSTILE}"):
        page = full.page(path)

        assert "<b>Robert" not in page
        assert "&lt;b&gt;Robert&lt;/b&gt;" in page


def test_a_record_without_a_name_says_so(full: Desk) -> None:
    assert "(no name) · mber_3" in full.page("/log")


def test_trying_one_again_takes_that_one(full: Desk) -> None:
    run = latest(full)
    entry = re.search(r'name="entry" value="(\d+)"', full.page(f"/runs/{run.id}?error=crm_bad_value"))
    assert entry

    page = press(full, f"/runs/{run.id}/retry", at=f"/runs/{run.id}", entry=entry[1])

    assert "Trying again" in page
    assert latest(full).type == "repair"
    assert latest(full).checkpoint == {"refs": {"member": ["mber_9"]}}


@pytest.mark.parametrize(
    ("fields", "refs"), [({}, {"mber_8", "mber_9"}), ({"error": "parent_missing"}, {"mber_8"})]
)
def test_trying_a_group_again_takes_all_of_it(full: Desk, fields: dict[str, str], refs: set[str]) -> None:
    run = latest(full)

    press(full, f"/runs/{run.id}/retry", at=f"/runs/{run.id}", **fields)

    assert set(latest(full).checkpoint["refs"]["member"]) == refs


def test_an_entry_that_is_no_number_does_not_mean_all(full: Desk) -> None:
    run = latest(full)

    answer = send(full.browser, f"/runs/{run.id}/retry", at=f"/runs/{run.id}", entry="all")

    assert answer.status_code == 400
    assert latest(full).id == run.id


def test_with_nothing_to_try_again_the_page_says_so(here: Desk) -> None:
    run = here.run([a_person()])

    page = press(here, f"/runs/{run.id}/retry", at="/runs")

    assert "Nothing is left to try again" in page


# --- a run under way


def test_the_first_run_does_not_pretend_to_know_the_total(here: Desk) -> None:
    checkpoint = {"done": ["product:whopProduct"], "stage": "member:person", "cursor": "c"}
    run = here.run([a_person()], status=None, checkpoint=checkpoint)

    page = here.page(f"/runs/{run.id}")
    bars = [one for one in Outline(page).all("progress") if "big" in (one["class"] or "")]

    assert "1 record, count not known yet" in page
    assert all("value" not in bar for bar in bars)
    assert 'data-active="yes"' in page


def test_a_later_run_expects_about_as_many_as_the_last(here: Desk) -> None:
    here.run([a_person(f"mber_{at}") for at in range(40)], at=NOON - timedelta(days=1))
    run = here.run(
        [a_person()], status=None, checkpoint={"done": [], "stage": "member:person", "cursor": "c"}
    )
    here.door.clock.advance(seconds=10)

    text = text_of(here.page(f"/runs/{run.id}"))

    assert "1 of about 40 records" in text
    assert "About 6 min left" in text


def test_the_fragment_is_the_part_of_the_page_that_changes(here: Desk) -> None:
    run = here.run([a_person(), a_failure()], status=None)

    fragment = here.page(f"/runs/{run.id}/live")

    assert fragment.lstrip().startswith('<div id="live"')
    assert "<html" not in fragment
    assert fragment.strip() in here.page(f"/runs/{run.id}")


def test_a_run_that_waits_says_for_what_and_how_long(here: Desk) -> None:
    run = here.run(status=None)
    with here.door.parts.database.transaction() as session:
        error = {"code": "crm_rate_limit", "message": "Twenty is at its request limit."}
        runs.save(
            session,
            run,
            owner="worker-1",
            error=error,
            lease_owner=None,
            lease_until=None,
            due_at=NOON + timedelta(seconds=90),
        )

    text = text_of(here.page(f"/runs/{run.id}"))

    assert "Twenty asks for a pause" in text
    assert "It goes on in 1 min 30 s." in text


def test_a_run_that_waits_for_the_data_model_names_the_field(here: Desk) -> None:
    run = here.run(status=None)
    with here.door.parts.database.transaction() as session:
        error = {"code": "crm_schema", "message": "person.whopUserId is deactivated in Twenty."}
        due_at = NOON + timedelta(seconds=30)
        runs.save(
            session, run, owner="worker-1", error=error, lease_owner=None, lease_until=None, due_at=due_at
        )

    text = text_of(here.page(f"/runs/{run.id}"))

    assert "person.whopUserId is deactivated in Twenty. Open the plan of the connection" in text


def test_a_run_that_ended_is_not_asked_for_any_more(full: Desk) -> None:
    page = full.page(f"/runs/{latest(full).id}")

    assert 'data-active="no"' in page
    assert "<progress" not in page


# --- the log and its files


def test_the_address_of_the_log_is_the_view(full: Desk) -> None:
    page = full.page("/log?q=mber_9&result=failed")

    assert 'value="mber_9"' in page
    assert '<option value="failed" selected>' in page
    assert "/log.csv?q=mber_9&amp;result=failed" in page
    assert page.count('<details class="rec"') == 1


@pytest.mark.parametrize(
    "query",
    [
        "before=9999999999999999999999",
        "before=-5&after=x",
        "day=31-12",
        "day=9999-12-31",
        "result=all&reason=none&object=',",
        "q=%00",
        "q=" + "x" * 5000,
        "connection=%27%3B--",
        "run=1",
    ],
)
def test_an_odd_address_is_no_error(full: Desk, query: str) -> None:
    for path in ("/log", f"/runs/{latest(full).id}", "/runs", "/log.json"):
        assert full.browser.get(f"{path}?{query}").status_code == 200, path


def test_a_file_holds_what_the_filter_leaves(full: Desk) -> None:
    run = latest(full)

    answer = full.browser.get(f"/runs/{run.id}/entries.json?result=failed")
    found = json.loads(answer.data)

    assert [one["source_id"] for one in found] == ["mber_8", "mber_9"]
    assert found[1]["title"] == HOSTILE
    assert answer.headers["Content-Disposition"] == f'attachment; filename="sync-{run.number}.json"'
    assert len(json.loads(full.browser.get("/log.json").data)) == 5


def test_a_table_holds_no_formula(here: Desk) -> None:
    here.run([a_person(title='=HYPERLINK("https://evil.example")'), a_person("mber_2", title="Zoë, 🦊")])

    rows = list(csv.DictReader(io.StringIO(here.browser.get("/log.csv").data.decode("utf-8-sig"))))

    assert [row["title"] for row in rows] == ["Zoë, 🦊", '\'=HYPERLINK("https://evil.example")']
    assert json.loads(rows[0]["after"])["emails"] == "mber_2@example.com"


def test_a_long_file_is_read_page_by_page(here: Desk) -> None:
    here.run([a_person(f"mber_{at}") for at in range(2500)])

    assert len(json.loads(here.browser.get("/log.json").data)) == 2500


# --- errors, files, weight, speed


def test_a_page_that_is_not_there_is_told_in_the_shell(here: Desk) -> None:
    for path in ("/nothing", "/runs/none", "/errors/none", "/log.exe"):
        page = here.page(path, 404)

        assert "Nothing here" in page
        assert 'aria-label="Main"' in page


def test_a_script_is_told_in_json(here: Desk) -> None:
    assert here.browser.get("/nothing").json == {"error": "Not Found"}


def test_a_defect_shows_a_reference_and_no_trace(here: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ValueError("a secret")

    monkeypatch.setitem(here.door.app.view_functions, "errors.listing", broken)
    answer = here.browser.get("/errors", headers={"Accept": "text/html"})

    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    assert "a secret" not in answer.text
    assert "Traceback" not in answer.text


def test_files_are_kept_for_ever_under_their_hash(here: Desk) -> None:
    addresses = re.findall(r'(?:href|src)="(/assets/[^"]+)"', here.page("/"))
    assert len(addresses) == 4

    for address in addresses:
        answer = here.browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert "immutable" not in here.browser.get("/assets/older/app.js").headers["Cache-Control"]
    assert here.browser.get(f"/assets/{assets.version()}/../shell.py").status_code == 404


def test_a_page_with_all_it_loads_is_light(here: Desk) -> None:
    long = {f"field{at}": "word " * 12 for at in range(10)}
    here.run([a_failure(f"mber_{at}", title="Ada " * 20, after=long) for at in range(30)], status="partial")

    page = here.page(f"/runs/{latest(here).id}")
    loaded = sum(len(asset.zipped) for asset in assets.files().values())

    assert len(page.encode()) + loaded < LIMIT


def test_a_second_connection_of_the_workspace_is_told_apart(full: Desk) -> None:
    other = a_connection(full.workspace.id, company_id="biz_2", company_title="田中道場")
    with full.door.parts.database.transaction() as session:
        connections.add_or_revive(session, other)

    page = full.page(f"/log?connection={other.id}")

    assert "No record fits these filters" in page
    assert "田中道場" in page


def test_what_others_wrote_is_as_they_published_it() -> None:
    vendor = Path(assets.__file__).parent / "static" / "vendor"

    for line in (vendor / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
