"""A preview tells what a sync would do, record by record, and nothing is written anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, AFTER_WHOP, BEFORE_COMMIT, Fate, Killed, breakable
from click.testing import CliRunner
from scene import NOWHERE, Scene, environment, total

from connector.cli.syncs import sync_group
from connector.core.outcomes import Result, sum_of
from connector.errors import RefusedError
from connector.store import logbook, runs
from connector.store.models import metadata
from connector.store.runs import LogEntry, Run
from connector.sync import mirror, rehearsing, steering
from connector.sync.rehearsing import Wanted
from connector.sync.tools import Tools

KEPT = ("link", "checkpoint", "sale", "review", "open_relation", "ending", "note", "connection", "workspace")
PAID = {"whopLastPaymentDate", "whopTotalPaid", "whopRefunded", "whopFailedPayments"}


ALL = Wanted()


def preview(scene: Scene, wanted: Wanted = ALL, *, tools: Tools | None = None) -> Run:
    """A preview to its end."""
    tools = tools or scene.tools
    assert scene.connection is not None
    id_ = rehearsing.start(tools, scene.connection, wanted, why="The test", correlation_id="corr-preview")
    return scene.go_on(id_, tools=tools, jobs=200)


def what(scene: Scene, run: Run) -> dict[str, tuple[Any, ...]]:
    """Source id → what was, or would be, done with it. Sums of payments are known only after a sync."""
    return {entry.source_id: (entry.result, entry.reason, _said(entry)) for entry in scene.log(run)}


def _said(entry: LogEntry) -> dict[str, Any]:
    before = entry.before or {}
    after = {name: value for name, value in (entry.after or {}).items() if name not in PAID}
    return {name: (before.get(name), value) for name, value in after.items()}


def kept(scene: Scene) -> dict[str, list[Any]]:
    """Every row that a sync could move."""
    with scene.parts.database.reading() as session:
        tables = {name: metadata.tables[name] for name in KEPT}
        return {
            name: list(session.execute(one.select().order_by(*one.primary_key)))
            for name, one in tables.items()
        }


def quietly(scene: Scene, act: Callable[[], Run]) -> Run:
    """Do it, and prove that neither Twenty nor our own tables were written."""
    before = kept(scene)
    scene.twenty.ask("DELETE", "/stats")
    run = act()
    asked = scene.twenty.ask("GET", "/stats")
    assert set(asked["rows"]) <= {"read"}
    assert [name for name in asked["requests"] if re.match("(create|update|delete|destroy|POST)", name)] == []
    assert kept(scene) == before
    return run


@pytest.fixture
def changed(scene: Scene) -> Scene:
    """In step, and then something changed on both sides."""
    assert scene.sync().status == "success"
    scene.clock.advance(3600)
    members, memberships = scene.records("members"), scene.records("memberships")
    for number, member in enumerate(members[:7]):
        if member["user"]:
            scene.change("members", member["id"], user={"username": f"renamed{number}"})
    for membership in memberships[:5]:
        scene.change("memberships", membership["id"], status="expired")
    for row in scene.rows("opportunities")[-3:]:
        query = "mutation($id:UUID!,$d:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$d){id}}"
        scene.crm(query, id=row["id"], d={"whopPlanId": "typed by a person", "name": "theirs"})
    return scene


def test_a_first_preview_tells_exactly_what_the_first_sync_does(scene: Scene) -> None:
    told = quietly(scene, lambda: preview(scene))
    assert scene.rows("people") == []

    run = scene.sync()

    assert (told.type, told.status, told.error) == ("preview", "success", None)
    assert told.counts == run.counts
    assert total(told) == sum(len(scene.records(kind)) for kind in ("members", "products", "memberships"))
    assert what(scene, told) == what(scene, run)


def test_a_preview_tells_exactly_what_the_next_sync_does(changed: Scene) -> None:
    told = quietly(changed, lambda: preview(changed))

    run = changed.sync()

    assert sum_of(told.counts, Result.UPDATED) > 5
    assert (told.counts, told.drift) == (run.counts, run.drift)
    assert told.drift == 3
    assert what(changed, told) == what(changed, run)
    assert {name: count for name, count in preview(changed).counts.items() if "updated" in count} == {}


def test_the_records_of_many_jobs_are_told_once_each(changed: Scene) -> None:
    at_once = preview(changed)
    changed.clock.step = timedelta(seconds=2)

    told = preview(changed, tools=replace(changed.tools, block_pages=1))

    assert told.checkpoint_version > at_once.checkpoint_version
    assert told.counts == at_once.counts
    assert what(changed, told) == what(changed, at_once)


def test_what_two_jobs_were_both_listed_counts_once(changed: Scene) -> None:
    at_once = preview(changed)
    changed.clock.step = timedelta(seconds=2)

    last: dict[Any, Any] = {}

    def listed_again(one: Any, _lane: Any) -> Any:
        reader = changed.parts.openers.reader(one)
        reader._page_size = 10  # type: ignore[attr-defined]
        return Shifted(reader, last)

    told = preview(changed, tools=replace(changed.tools, block_pages=1, open_reader=listed_again))

    again = [entry for entry in changed.log(told, "skipped") if entry.reason == "duplicate"]
    assert again
    assert total(told) == total(at_once) + len(again)
    assert told.counts["opportunity"]["updated"] == at_once.counts["opportunity"]["updated"]


class Shifted:
    """A reader whose every page but the first begins with the last record of the page before."""

    def __init__(self, reader: Any, last: dict[Any, Any]) -> None:
        self._reader = reader
        self._last = last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def pages(self, kind: str, cursor: str | None) -> Any:
        for page in self._reader.pages(kind, cursor):
            more = self._last.get((kind, cursor))
            cursor = page.cursor
            self._last[kind, cursor] = page.items[-1]
            yield replace(page, items=(more, *page.items)) if more else page


@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, AFTER_CRM, AFTER_WHOP])
def test_a_killed_preview_goes_on_and_tells_each_record_once(scene: Scene, seam: str) -> None:
    assert scene.connection is not None
    expected = preview(scene)
    for nth in (1, 2, 4):
        id_ = rehearsing.start(scene.tools, scene.connection, Wanted(), why="x", correlation_id="x")
        with pytest.raises(Killed):
            mirror.advance(breakable(scene, Fate(seam, nth)), id_, owner="killed")
        scene.clock.advance(16)

        run = scene.go_on(id_)

        assert run.counts == expected.counts
        assert what(scene, run) == what(scene, expected)


def test_one_record_is_told_though_its_link_says_that_it_is_in_step(changed: Scene) -> None:
    row = changed.rows("opportunities")[-1]

    run = quietly(changed, lambda: preview(changed, Wanted({"membership": [row["whopMembershipId"]]})))

    (entry,) = changed.log(run)
    assert (entry.result, entry.reason, entry.source_id) == ("updated", "put_back", row["whopMembershipId"])
    assert entry.before is not None
    assert entry.before["whopPlanId"] == "typed by a person"
    assert total(run) == 1


def test_a_record_that_whop_does_not_have_is_told_as_gone(scene: Scene) -> None:
    run = preview(scene, Wanted({"membership": ["mem_none"]}))

    assert [(entry.result, entry.reason) for entry in scene.log(run)] == [("skipped", "gone")]


def test_a_parent_that_is_not_there_yet_is_thought_of_as_brought_in(scene: Scene) -> None:
    found = next(one for one in scene.records("memberships") if one["member_id"])

    told = quietly(scene, lambda: preview(scene, Wanted({"membership": [found["id"]]})))
    scene.sync()

    (entry,) = scene.log(told)
    assert entry.after is not None
    deal = scene.deal_of(found["id"])
    assert entry.after["pointOfContact"] == deal["pointOfContactId"]
    assert entry.after["whopProduct"] == deal["whopProductId"]
    assert entry.warnings is None


def test_a_preview_goes_by_files_that_are_not_in_force_and_writes_fields_that_are_not_there(
    changed: Scene,
) -> None:
    assert changed.workspace is not None
    files = changed.parts.tools.mappings
    texts = dict(files.shipped.texts)
    line = "  whopManage: {from: manage_url, type: text, label: Whop manage}\n"
    texts["membership.yaml"] = texts["membership.yaml"].replace("\nlinks:", f"{line}\nlinks:")
    draft = files.load(texts)
    files.keep(changed.workspace.id, replace(files.of(changed.workspace.id), files=draft), changed.clock())

    wanted = Wanted(kinds=("membership",), version=draft.version)
    run = quietly(changed, lambda: preview(changed, wanted))

    assert run.mapping_version == draft.version != files.of(changed.workspace.id).version
    assert set(run.counts) == {"opportunity"}
    filled = [entry for entry in changed.log(run) if "whopManage" in (entry.after or {})]
    assert len(filled) > 20
    assert all((entry.before or {})["whopManage"] is None for entry in filled)
    assert "whopManage" not in changed.rows("opportunities")[0]


def test_what_only_a_person_can_solve_ends_a_preview_and_is_told(changed: Scene) -> None:
    assert changed.workspace is not None
    files = changed.parts.tools.mappings
    texts = dict(files.shipped.texts)
    texts["membership.yaml"] = texts["membership.yaml"].replace(
        "whopPlanId:            {from: plan_id, type: text,",
        "whopPlanId:            {value: true, type: boolean,",
    )
    texts["membership.yaml"] = texts["membership.yaml"].replace("      whopPlanId: plan_1\n", "")
    draft = files.load(texts)
    files.keep(changed.workspace.id, replace(files.of(changed.workspace.id), files=draft), changed.clock())

    run = preview(changed, Wanted(version=draft.version))

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "crm_schema"


def test_a_preview_goes_on_beside_a_sync_and_holds_nothing_up(changed: Scene) -> None:
    assert changed.connection is not None
    first = rehearsing.start(changed.tools, changed.connection, Wanted(), why="x", correlation_id="x")

    run = changed.sync()

    assert run.status == "success"
    assert changed.go_on(first).status == "success"


def test_a_preview_is_no_sync(scene: Scene) -> None:
    """It ends no first-sync question, moves no clock, and the log of what happened leaves it out."""
    run = preview(scene)

    with scene.parts.database.reading() as session:
        everything = logbook.entry_page(session, run.workspace_id, logbook.EntryFilter())
        own = logbook.entry_page(session, run.workspace_id, logbook.EntryFilter(run=run.number))
    assert everything.items == []
    assert len(own.items) == 50


def test_a_paused_or_ended_connection_is_not_previewed(scene: Scene) -> None:
    assert scene.connection is not None
    steering.pause(scene.tools, scene.connection.workspace_id, scene.connection.id)
    paused = replace(scene.connection, paused=True)

    with pytest.raises(RefusedError) as raised:
        rehearsing.start(scene.tools, paused, Wanted(), why="x", correlation_id="x")

    assert raised.value.code == "connection_paused"


def test_a_preview_that_is_cancelled_ends(scene: Scene) -> None:
    assert scene.connection is not None
    id_ = rehearsing.start(scene.tools, scene.connection, Wanted(), why="x", correlation_id="x")

    steering.cancel(scene.tools, scene.connection.workspace_id, id_, who="Ada")
    mirror.advance(scene.tools, id_, owner="worker")

    assert scene.run(id_).status == "cancelled"
    assert scene.log(scene.run(id_)) == []


@pytest.fixture
def env(database_url: str, scene: Scene) -> dict[str, str]:
    return environment(database_url, scene.whop.url, NOWHERE)


def test_the_command_line_starts_a_dry_run(scene: Scene, env: dict[str, str]) -> None:
    assert scene.connection is not None
    asked = CliRunner().invoke(sync_group, ["start", scene.connection.id, "--dry-run", "--json"], env=env)

    assert asked.exit_code == 0, asked.output
    run = scene.run(json.loads(asked.stdout)["id"])
    assert (run.type, run.status) == ("preview", "queued")
    assert scene.go_on(run.id).status == "success"
    assert scene.rows("people") == []


@pytest.mark.parametrize("dry", [True, False])
def test_the_command_line_takes_one_record(
    scene: Scene, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, dry: bool
) -> None:
    assert scene.connection is not None
    member = next(one for one in scene.records("members") if one["user"])

    def work(_seconds: float) -> None:  # a worker, while the command waits
        with scene.parts.database.reading() as session:
            (id_,) = runs.overdue(session, datetime.now(UTC))
        mirror.advance(replace(scene.tools, clock=lambda: datetime.now(UTC)), id_, owner="worker")

    monkeypatch.setattr("connector.cli.syncs.time", SimpleNamespace(sleep=work))
    words = ["record", scene.connection.id, "member", member["id"], *(["--dry-run"] if dry else [])]
    told = CliRunner().invoke(sync_group, words, env=env)

    assert told.exit_code == 0, told.output
    assert f"created  member {member['id']}" in told.output
    assert "    whopMemberId: None → " in told.output
    assert [row["whopMemberId"] for row in scene.rows("people")] == ([] if dry else [member["id"]])


def test_the_command_line_refuses_a_kind_that_no_file_is_about(scene: Scene, env: dict[str, str]) -> None:
    assert scene.connection is not None
    words = ["record", scene.connection.id, "payment", "pay_1", "--dry-run"]

    told = CliRunner().invoke(sync_group, words, env=env)

    assert told.exit_code == 4
    assert "Name one of product, member, membership." in told.output
