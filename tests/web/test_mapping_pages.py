"""The mapping pages: mistakes are marked, a change is rehearsed on real records, then put in force."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from connector.store import audit, mappings, overview
from connector.store.runs import Run
from connector.sync import mirror
from tests.sync.scene import (
    NOWHERE,
    RecordingBell,
    Scene,
    Service,
    built,
    environment,
    twenty_served,
    whop_served,
)
from tests.web.site_of import Browser, Site, application

PAGE = "/mappings/membership.yaml"
ADDED = "  whopManage: {from: manage_url, type: text, label: Whop manage}\n"


@pytest.fixture(scope="module")
def whop() -> Iterator[Service]:
    with whop_served(members=12, memberships=15) as service:
        yield service


@pytest.fixture
def scene(database_url: str, whop: Service) -> Iterator[Scene]:
    """A company that is in step, and the pages before it."""
    with twenty_served() as twenty, closing(built(environment(database_url, whop.url, NOWHERE))) as plain:
        one = Scene(whop, twenty, plain)
        parts = replace(plain, tools=replace(plain.tools, clock=one.clock, queue=one.bell))
        made = replace(one, parts=parts).connect()
        assert made.sync().status == "success"
        yield made


@pytest.fixture
def browser(scene: Scene) -> Browser:
    return browser_of(scene)


def browser_of(scene: Scene) -> Browser:
    assert scene.workspace is not None
    bell = RecordingBell()
    site = Site(
        application(scene.parts), scene.parts, scene.whop, scene.twenty, scene.workspace, scene.clock, bell
    )
    return site.browser()


def shipped(scene: Scene, file: str = "membership.yaml") -> str:
    return scene.parts.tools.mappings.shipped.texts[file]


def with_field(scene: Scene) -> str:
    return shipped(scene).replace("\nlinks:", f"{ADDED}\nlinks:", 1)


def send(browser: Browser, path: str, page: str = PAGE, **form: Any) -> Any:
    base = re.search(r'name="base" value="(\d*)"', browser.get(page).text)
    return browser.send(path, page, **{"base": base[1] if base else "", **form})


def effects(browser: Browser, text: str, page: str = PAGE) -> str:
    """On to what a text would do; the address of that page."""
    answer = send(browser, page, page, text=text)
    assert answer.status_code == 303, unescape(answer.text)
    return str(answer.headers["Location"])


def put_in_force(browser: Browser, there: str) -> Any:
    return browser.send(there.partition("?")[0], PAGE, **form_of(there))


def form_of(there: str) -> dict[str, str]:
    """What the forms of the page hand on."""
    return dict(one.split("=", 1) for one in there.partition("?")[2].split("&"))


def history(scene: Scene, file: str = "membership.yaml") -> list[tuple[int, str, str]]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        found = mappings.history(session, scene.workspace.id, file)
    return [(one.number, one.state, one.how) for one in found]


def newest(scene: Scene) -> Run:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return overview.run_page(session, scene.workspace.id, overview.RunFilter()).items[0]


def test_the_list_says_which_files_count_and_whose_they_are(scene: Scene, browser: Browser) -> None:
    put_in_force(browser, effects(browser, with_field(scene)))

    text = unescape(browser.get("/mappings").text)

    for words in (
        "membership.yaml",
        "Membership → Opportunity",
        "Your own",
        "Version 1",
        "As shipped",
        "member.yaml",
    ):
        assert words in text


def test_a_file_is_shown_in_words_with_its_tests_and_a_real_record(scene: Scene, browser: Browser) -> None:
    found = scene.records("memberships")[3]

    text = unescape(browser.get(f"{PAGE}?record={found['id']}").text)

    for words in (
        "kind: membership",
        found["id"],
        "Whop decides: what somebody types over it in Twenty is put back",
        "Gets Whop membership status: Expired.",
        "a paying membership",
        "Nothing is written here",
        "in step, nothing would be written",
        "same",
    ):
        assert words in text
    assert "not told" not in text, "payments are added up here as in a sync"


def test_the_newest_record_stands_beside_the_text_and_an_unknown_one_is_told(
    scene: Scene, browser: Browser
) -> None:
    assert scene.records("memberships")[0]["id"] in browser.get(PAGE).text or "mem_" in browser.get(PAGE).text
    assert "Whop has no membership mem_none" in unescape(browser.get(f"{PAGE}?record=mem_none").text)


def test_every_mistake_is_marked_by_its_line_and_nothing_is_saved(scene: Scene, browser: Browser) -> None:
    text = (
        shipped(scene).replace("from: plan_id", "from: plan_idd").replace("using: money}", "using: mony}", 1)
    )

    answer = send(browser, PAGE, text=text)
    shown = unescape(answer.text)

    assert answer.status_code == 422
    assert "2 mistakes keep this text from being used" in shown
    for word in ("plan_idd", "mony"):
        line = next(at for at, one in enumerate(text.split("\n"), start=1) if word in one)
        assert f'<a href="#L{line}">Line {line}</a>' in shown
    assert 'did you mean "plan_id"?' in shown
    assert text.strip() in shown.replace("\r\n", "\n")
    assert "As the file that counts has it: your text does not load yet." in shown
    assert "Twenty would show" in shown, "a real record stands beside the text all the while"
    assert history(scene) == []


def test_a_test_that_fails_is_shown_and_keeps_the_text_out(scene: Scene, browser: Browser) -> None:
    answer = send(browser, PAGE, text=shipped(scene).replace("whopPlanId: plan_1", "whopPlanId: plan_2"))

    assert answer.status_code == 422
    assert "1 test does not pass" in unescape(answer.text)
    assert "whopPlanId: expected 'plan_2', found 'plan_1'" in unescape(answer.text)


def test_what_a_change_would_do_is_counted_before_anything_is_saved(scene: Scene, browser: Browser) -> None:
    scene.twenty.ask("DELETE", "/stats")

    text = unescape(browser.get(effects(browser, with_field(scene))).text)

    for words in ("Whop manage", "Would be updated", "All 15 were looked at", "Put it in force", "Added: "):
        assert words in text
    assert set(scene.twenty.ask("GET", "/stats")["rows"]) <= {"read"}
    assert history(scene) == []
    assert "whopManage" not in scene.rows("opportunities")[0]


def test_put_in_force_it_makes_its_field_and_reads_its_records_anew(scene: Scene, browser: Browser) -> None:
    answer = put_in_force(browser, effects(browser, with_field(scene)))
    run = newest(scene)
    ended = scene.go_on(run.id)

    assert answer.headers["Location"] == "/mappings"
    assert history(scene) == [(1, "own", "edited")]
    assert (run.type, run.checkpoint) == ("repair", {"only": ["membership"]})
    assert ended.status == "success"
    assert all(row["whopManage"] for row in scene.rows("opportunities"))
    with scene.parts.database.reading() as session:
        told = audit.shown(session, run.workspace_id, "")[0]
    assert (told.what, told.about["file"], told.about["number"]) == ("mapping_changed", "membership.yaml", 1)
    page = unescape(browser.get(f"/runs/{run.id}").text)
    assert "Changed mapping" in page
    assert "Since version 1, membership.yaml by" in page
    assert f'href="/mappings/set/{ended.mapping_version}"' in page
    assert "whopManage" in unescape(browser.get(f"/mappings/set/{ended.mapping_version}").text)


def test_nobody_saves_over_a_change_that_they_did_not_see(scene: Scene, browser: Browser) -> None:
    other = browser_of(scene)
    theirs = effects(other, shipped(scene).replace("label: Whop plan}", "label: Our plan}"))
    mine = effects(browser, with_field(scene))
    put_in_force(other, theirs)

    answer = put_in_force(browser, mine)

    assert answer.headers["Location"] == PAGE
    assert "Somebody changed the mapping files meanwhile" in unescape(browser.get(PAGE).text)
    assert len(history(scene)) == 1


def test_a_text_written_before_anothers_change_is_told_so(scene: Scene, browser: Browser) -> None:
    other = browser_of(scene)
    put_in_force(other, effects(other, shipped(scene).replace("label: Whop plan}", "label: Our plan}")))

    answer = browser.send(PAGE, PAGE, base="", text=with_field(scene))

    assert answer.status_code == 422
    assert "Somebody changed the files since you opened this page" in unescape(answer.text)


def test_the_way_back_is_a_version_of_its_own_and_is_shown_first(scene: Scene, browser: Browser) -> None:
    put_in_force(browser, effects(browser, with_field(scene)))
    scene.go_on(newest(scene).id)
    page = f"{PAGE}/history"
    assert "Added: " in browser.get(page).text

    asked = browser.send(f"{PAGE}/revert", page, to="shipped")
    there = asked.headers["Location"]
    assert "No longer written: Whop manage" in unescape(browser.get(there).text)
    put_in_force(browser, there)
    scene.go_on(newest(scene).id)

    assert history(scene) == [(2, "shipped", "shipped"), (1, "own", "edited")]
    assert all(row["whopManage"] for row in scene.rows("opportunities"))
    again = browser.send(f"{PAGE}/revert", page, to="1").headers["Location"]
    put_in_force(browser, again)
    assert history(scene)[0] == (3, "own", "reverted")


def test_doing_without_a_file_says_what_stays(scene: Scene, browser: Browser) -> None:
    asked = browser.send(f"{PAGE}/revert", f"{PAGE}/history", to="off")

    text = unescape(browser.get(asked.headers["Location"]).text)
    put_in_force(browser, asked.headers["Location"])

    assert "Records that it brought stay in Twenty as they are" in text
    assert history(scene) == [(1, "off", "removed")]
    assert "Not used in this workspace" in browser.get("/mappings").text


def test_a_file_that_others_need_cannot_be_done_without(scene: Scene, browser: Browser) -> None:
    browser.send("/mappings/product.yaml/revert", "/mappings/product.yaml/history", to="off")

    assert "does not go with the other files" in browser.get("/mappings/product.yaml/history").text
    assert history(scene, "product.yaml") == []


def test_every_record_is_looked_at_in_the_background(scene: Scene, browser: Browser) -> None:
    there = effects(browser, with_field(scene))
    path = there.partition("?")[0]

    answer = browser.send(f"{path}/all", there, base="", how="edited")
    run = newest(scene)
    ended = scene.go_on(run.id)

    assert answer.headers["Location"] == f"/runs/{run.id}"
    assert (run.type, run.mapping_version) == ("preview", path.rpartition("/")[2])
    assert ended.counts["opportunity"]["updated"] > 0
    assert f"Sync {run.number} looked at" in unescape(browser.get(there).text)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"version: 1\n\xff\xfe", "Line 2"),
        (b"a: &a [x]\nb: [*a, *a, *a]", "mistake"),
        (b"source: {kind: starship}", "starship"),
        (
            b"version: 1\nsource: {kind: membership}\ntarget: {object: starship}\nmatch: []\nfields: {}",
            "starship",
        ),
        (b"x" * 300_000, "KB"),
        (b"\x00", "mistake"),
        (b"version: 1\nversion: 1\n", 'found "version" twice, expected it once (first on line 1)'),
        (b"version: 1\n\tsource: {kind: membership}\n", "found a tab, expected spaces"),
        (b"[" * 100_000, "found more than 12 levels inside each other"),
        (
            b"version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"
            b"fields: {name: {from: id}}\nlinks: {whopSelf: {kind: membership, id: id, label: Self}}\n",
            "links in a circle (membership → membership)",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_by_its_line(
    scene: Scene, browser: Browser, raw: bytes, words: str
) -> None:
    answer = send(browser, PAGE, upload=(io.BytesIO(raw), "membership.yaml"))

    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert history(scene) == []


def test_five_megabytes_are_refused_at_the_door(scene: Scene, browser: Browser) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="upload"; filename="membership.yaml"\r\n\r\n'
    form = "multipart/form-data; boundary=x"

    answer = browser.client.post(PAGE, data=head + b"x: y\n" * 1_048_576 + b"\r\n--x--", content_type=form)

    assert answer.status_code == 413
    assert browser.get(PAGE).status_code == 200


def switched(browser: Browser, name: str, to: str) -> str:
    """On to what switching a recipe would do."""
    base = re.search(r'name="base" value="(\d*)"', browser.get("/mappings").text)
    answer = browser.send(f"/mappings/recipes/{name}", "/mappings", to=to, base=base[1] if base else "")
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_a_recipe_is_switched_on_after_what_it_would_do_was_seen(scene: Scene, browser: Browser) -> None:
    listed = unescape(browser.get("/mappings").text)
    assert "A Whop plan becomes a" in listed
    assert listed.count("Switch on…") == 3

    there = switched(browser, "plans", "on")

    text = unescape(browser.get(there).text)
    assert "Plan → Whop plan" in text
    assert history(scene, "plan.yaml") == []
    assert put_in_force(browser, there).status_code == 303
    assert history(scene, "plan.yaml") == [(1, "own", "recipe_on")]
    assert "Switched on with its recipe" in browser.get("/mappings/plan.yaml/history").text
    assert unescape(browser.get("/mappings").text).count("Switch off…") == 1


def test_a_recipe_of_two_files_is_switched_on_and_off_as_one(scene: Scene, browser: Browser) -> None:
    there = switched(browser, "business-buyers", "on")
    text = unescape(browser.get(there).text)
    looked = browser.send(f"{there.partition('?')[0]}/all", there, **form_of(there))
    assert looked.headers["Location"].startswith("/runs/")
    scene.go_on(newest(scene).id)
    put_in_force(browser, there)

    assert "Lines that differ in membership.yaml" in text
    assert "No longer written" in text
    assert history(scene, "member.yaml") == [(1, "own", "recipe_on")]
    assert history(scene, "membership.yaml") == [(2, "own", "recipe_on")]

    put_in_force(browser, switched(browser, "business-buyers", "off"))

    assert history(scene, "membership.yaml")[0] == (4, "shipped", "recipe_off")


def test_a_recipe_that_is_none_changes_nothing(browser: Browser) -> None:
    assert switched(browser, "plan", "on") == "/mappings"
    assert "There is no such recipe" in browser.get("/mappings").text


def test_a_file_of_another_name_is_uploaded(scene: Scene, browser: Browser) -> None:
    raw = shipped(scene, "product.yaml").replace("kind: product", "kind: plan").encode()

    answer = send(browser, "/mappings", "/mappings", upload=(io.BytesIO(raw), "../../Plan.YAML"))

    assert answer.status_code in (303, 422)
    assert history(scene, "plan.yaml") == []
    assert "This name cannot be used" not in browser.get("/mappings").text


@pytest.mark.parametrize("path", ["/mappings/..%2f..%2fetc", "/mappings/UPPER.yaml", "/mappings/x.txt"])
def test_an_address_that_is_no_file_leads_nowhere(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_nothing_is_done_without_the_forms_token(scene: Scene, browser: Browser) -> None:
    there = effects(browser, with_field(scene)).partition("?")[0]

    for path in (PAGE, "/mappings", there, f"{there}/all", f"{PAGE}/revert"):
        assert browser.client.post(path, data={"text": "x"}).status_code == 400
    assert history(scene) == []


def test_a_workspace_sees_and_uses_nothing_of_another(scene: Scene, browser: Browser) -> None:
    put_in_force(browser, effects(browser, with_field(scene)))
    version = scene.parts.tools.mappings.of(scene.workspace.id).version  # type: ignore[union-attr]
    with twenty_served() as twenty:
        there = replace(scene, twenty=twenty)
        there.workspace = there.add_workspace("other")
        theirs = browser_of(there)
        theirs.send("/workspace", "/workspace", workspace=there.workspace.id)

        assert "Your own" not in theirs.get("/mappings").text
        assert "whopManage" not in theirs.get(PAGE).text
        assert theirs.get(f"/mappings/set/{version}").status_code == 404
        assert theirs.get(f"{PAGE}/effects/{version}").headers["Location"] == PAGE
        assert "Version 1" not in theirs.get(f"{PAGE}/history").text


def test_a_job_that_began_keeps_its_files(scene: Scene, browser: Browser) -> None:
    run_id = scene.start()
    mirror.advance(scene.tools, run_id, owner="worker")

    put_in_force(browser, effects(browser, with_field(scene)))

    assert scene.go_on(run_id).mapping_version == scene.parts.tools.mappings.shipped.version
