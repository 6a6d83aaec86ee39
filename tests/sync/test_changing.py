"""A mapping file is changed safely: it loads, its tests pass, nobody else changed it; all counts or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, BEFORE_COMMIT, BEFORE_CRM, BEFORE_RING, Fate, Killed, breakable
from scene import Scene, twenty_served

from connector.errors import MappingFileError, RefusedError, SchemaError
from connector.store import mapping_passes, mappings, overview, workspaces
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync import changing, passing, sampling, steering
from connector.sync.changing import Draft

FILE = "membership.yaml"
ADDED = "  whopManage: {from: manage_url, type: text, label: Whop manage}\n"


def text_of(scene: Scene, *swaps: tuple[str, str], file: str = FILE) -> str:
    text = scene.parts.tools.mappings.texts(now(scene))[file]
    for before, after in swaps:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


def now(scene: Scene) -> Workspace:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return workspaces.get(session, scene.workspace.id)


def drafted(scene: Scene, *swaps: tuple[str, str]) -> Draft:
    return changing.drafted(scene.tools, now(scene), FILE, text_of(scene, *swaps))


def apply(scene: Scene, draft: Draft, tools: object = None) -> int:
    return changing.apply(tools or scene.tools, now(scene), draft, who="Marta", how="edited")  # type: ignore[arg-type]


def newest_run(scene: Scene) -> Run:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return overview.run_page(session, scene.workspace.id, overview.RunFilter()).items[0]


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    scene.clock.advance(60)
    return scene


WITH_FIELD = ("\nlinks:", f"{ADDED}\nlinks:")


def test_a_change_makes_what_it_needs_and_passes_over_its_records_alone(synced: Scene) -> None:
    synced.twenty.ask("DELETE", "/stats")
    draft = drafted(synced, WITH_FIELD)

    number = apply(synced, draft)
    run = synced.go_on(newest_run(synced).id)

    assert number == 1
    assert (run.type, run.status, run.mapping_version) == ("repair", "success", draft.after.version)
    assert run.why == f"Marta changed how each membership is brought over ({FILE})"
    assert set(run.counts) == {"opportunity"}
    assert all(row["whopManage"] for row in synced.rows("opportunities"))
    rows = synced.twenty.ask("GET", "/stats")["rows"]
    assert "person" not in {name for what, of in rows.items() if what != "read" for name in of}
    assert synced.sync().counts["opportunity"] == {
        name: count for name, count in run.counts["opportunity"].items() if name != "updated"
    } | {"unchanged": run.counts["opportunity"]["updated"]}


def test_what_a_look_told_is_what_the_pass_does(synced: Scene) -> None:
    assert synced.connection is not None
    draft = drafted(synced, WITH_FIELD)

    looked = sampling.look(synced.tools, [synced.connection], draft.after, draft.kinds, most=1000)
    apply(synced, draft)
    run = synced.go_on(newest_run(synced).id)

    assert looked.counts == run.counts
    assert looked.fields == [("opportunity", "whopManage", run.counts["opportunity"]["updated"])]
    assert not looked.more
    assert looked.known == len(synced.rows("opportunities"))


def test_a_look_at_a_few_says_that_there_are_more(synced: Scene) -> None:
    assert synced.connection is not None
    draft = drafted(synced)

    looked = sampling.look(synced.tools, [synced.connection], draft.after, draft.kinds, most=1)

    assert len(looked.outcomes) < looked.known or not looked.more


def test_the_records_of_every_company_are_looked_at(synced: Scene) -> None:
    assert synced.connection is not None
    draft, company = drafted(synced, WITH_FIELD), synced.connection

    alone = sampling.look(synced.tools, [company], draft.after, draft.kinds, most=1000)
    both = sampling.look(synced.tools, [company, company], draft.after, draft.kinds, most=1000)

    assert len(both.outcomes) == 2 * len(alone.outcomes) > 0
    assert both.known == 2 * alone.known
    assert both.fields == [(object_, name, 2 * count) for object_, name, count in alone.fields]


def test_a_change_of_who_owns_a_field_reaches_what_people_typed(synced: Scene) -> None:
    row = synced.rows("opportunities")[0]
    query = "mutation($id:UUID!,$d:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$d){id}}"
    synced.crm(query, id=row["id"], d={"name": "typed by a person"})
    assert synced.sync().status == "success"
    assert synced.deal_of(row["whopMembershipId"])["name"] == "typed by a person"

    apply(synced, drafted(synced, ("using: trim, own: fill}", "using: trim, own: always}")))
    synced.go_on(newest_run(synced).id)

    assert synced.deal_of(row["whopMembershipId"])["name"] == row["name"]


@pytest.mark.parametrize(
    ("swap", "found"),
    [
        (("from: plan_id", "from: plan_idd"), 'found "plan_idd"'),
        (("kind: membership\n", "kind: mambership\n"), 'found "mambership"'),
        (("object: opportunity", "object: opportunitty"), "opportunitty"),
    ],
)
def test_a_file_that_does_not_load_tells_every_mistake_and_saves_nothing(
    synced: Scene, swap: tuple[str, str], found: str
) -> None:
    with pytest.raises(MappingFileError) as raised:
        drafted(synced, swap)

    assert any(one.startswith(f"{FILE}:") and found in one for one in raised.value.problems)
    assert now(synced).mapping_change is None


BAD_TEXTS = ("a: &a [x]\nb: [*a, *a]", "\tx: 1", "version: 1\nversion: 1", "x: [", "\x00", "")


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_text_that_is_no_mapping_is_refused_by_its_line(synced: Scene, text: str) -> None:
    with pytest.raises(MappingFileError) as raised:
        changing.drafted(synced.tools, now(synced), FILE, text)

    assert all(one.startswith(f"{FILE}:") for one in raised.value.problems)


def test_a_file_whose_test_fails_is_not_put_in_force(synced: Scene) -> None:
    draft = drafted(synced, ("      whopPlanId: plan_1\n", "      whopPlanId: plan_2\n"))
    assert [one.passed for one in draft.tests].count(False) == 1

    with pytest.raises(RefusedError) as raised:
        apply(synced, draft)

    assert raised.value.code == "mapping_tests"
    assert now(synced).mapping_change is None


def test_of_two_admins_the_second_is_told_and_nothing_of_theirs_is_made(synced: Scene) -> None:
    first = drafted(synced, ("label: Whop plan}", "label: Our plan}"))
    second = drafted(synced, WITH_FIELD)
    apply(synced, first)

    with pytest.raises(RefusedError) as raised:
        apply(synced, second)

    assert raised.value.code == "mapping_moved"
    assert now(synced).mapping_change == 1
    assert "whopManage" not in synced.rows("opportunities")[0]


def test_a_field_in_the_way_refuses_the_change(synced: Scene) -> None:
    draft = drafted(
        synced,
        ("{from: plan_id, type: text,", "{value: true, type: boolean,"),
        ("      whopPlanId: plan_1\n", ""),
    )

    with pytest.raises(SchemaError):
        apply(synced, draft)

    assert now(synced).mapping_change is None


def test_going_back_is_a_change_of_its_own(synced: Scene) -> None:
    before = text_of(synced)
    apply(synced, drafted(synced, ("label: Whop plan}", "label: Our plan}")))
    synced.go_on(newest_run(synced).id)

    back = changing.drafted(synced.tools, now(synced), FILE, before)
    number = changing.apply(synced.tools, now(synced), back, who="Ben", how="reverted")

    assert (number, back.changed) == (2, ((FILE, "shipped", None),))
    with synced.parts.database.reading() as session:
        told = mappings.history(session, now(synced).id, FILE)
    assert [(one.number, one.state, one.how, one.who) for one in told] == [
        (2, "shipped", "reverted", "Ben"),
        (1, "own", "edited", "Marta"),
    ]
    files = synced.parts.tools.mappings
    assert files.of(now(synced).id).version == files.shipped.version


def test_a_mapping_that_is_taken_away_leaves_its_records_alone(synced: Scene) -> None:
    whole = text_of(synced, ("  whopProduct:    {kind: product", "  #"), ("      whopProduct: prod_1\n", ""))
    apply(synced, changing.drafted(synced.tools, now(synced), FILE, whole))
    synced.go_on(newest_run(synced).id)
    rows = synced.rows("whopProducts")

    gone = changing.drafted(synced.tools, now(synced), "product.yaml", None)
    changing.apply(synced.tools, now(synced), gone, who="Marta", how="removed")

    assert (gone.changed, gone.kinds, gone.mapping) == (((gone.file, "off", None),), (), None)
    assert gone.former is not None
    assert synced.sync().status == "success"
    assert synced.rows("whopProducts") == rows


def test_a_file_that_others_point_at_cannot_be_taken_away(synced: Scene) -> None:
    with pytest.raises(MappingFileError) as raised:
        changing.drafted(synced.tools, now(synced), "product.yaml", None)

    assert "membership.yaml" in str(raised.value)


def test_a_pass_waits_for_the_sync_that_is_under_way(synced: Scene) -> None:
    under_way = synced.start()
    synced.clock.step = timedelta(seconds=2)
    tools = replace(synced.tools, block_pages=1)
    assert synced.advance(under_way, tools=tools).active

    apply(synced, drafted(synced, WITH_FIELD))

    synced.clock.step = timedelta()
    assert newest_run(synced).id == under_way
    assert synced.go_on(under_way).status == "success"
    assert passing.sweep(synced.tools) == 1
    assert synced.go_on(newest_run(synced).id).counts["opportunity"]["updated"] > 20
    assert passing.sweep(synced.tools) == 0


def test_a_pass_waits_while_the_connection_is_paused(synced: Scene) -> None:
    assert synced.connection is not None
    ids = (synced.connection.workspace_id, synced.connection.id)
    steering.pause(synced.tools, *ids)

    apply(synced, drafted(synced, WITH_FIELD))
    assert passing.sweep(synced.tools) == 0
    steering.resume(synced.tools, *ids)

    assert passing.sweep(synced.tools) == 1


def test_two_changes_before_the_pass_are_one_pass(synced: Scene) -> None:
    under_way = synced.start()
    apply(synced, drafted(synced, WITH_FIELD))
    text = text_of(synced, ("label: Whop user", "label: Our user"), file="member.yaml")
    changing.apply(
        synced.tools,
        now(synced),
        changing.drafted(synced.tools, now(synced), "member.yaml", text),
        who="Marta",
        how="edited",
    )
    synced.go_on(under_way)

    assert passing.sweep(synced.tools) == 1
    assert newest_run(synced).checkpoint["only"] == ["membership", "member"]


def test_before_the_first_sync_there_is_nothing_to_pass_over(scene: Scene) -> None:
    apply(scene, drafted(scene, WITH_FIELD))

    with scene.parts.database.reading() as session:
        assert mapping_passes.every(session) == []
    assert scene.sync().status == "success"
    assert all(row["whopManage"] for row in scene.rows("opportunities"))


@pytest.mark.parametrize("seam", [BEFORE_CRM, AFTER_CRM, BEFORE_COMMIT, AFTER_COMMIT, BEFORE_RING])
def test_a_change_that_is_killed_is_made_or_can_be_made_again(synced: Scene, seam: str) -> None:
    number, struck = 0, True
    while struck:
        number += 1
        base = now(synced).mapping_change
        named = ("label: Whop plan}", f"label: Plan {number}}}")
        draft = drafted(synced, named, WITH_FIELD)
        fate = Fate(seam, number)
        struck = False
        try:
            apply(synced, draft, breakable(synced, fate))
        except Killed:
            struck = True
        if now(synced).mapping_change == base:  # nothing counts: it is done again
            apply(synced, draft)
        passing.sweep(synced.tools)
        synced.clock.advance(20)

        run = synced.go_on(newest_run(synced).id)
        where = f"killed {seam}, the {number}th time"
        assert run.status == "success", where
        assert run.mapping_version == draft.after.version, where
        assert all(row["whopManage"] for row in synced.rows("opportunities")), where
        shipped = synced.parts.tools.mappings.shipped.texts[FILE]
        apply(synced, changing.drafted(synced.tools, now(synced), FILE, shipped))
        synced.go_on(newest_run(synced).id)


@pytest.fixture
def other(synced: Scene) -> Iterator[Scene]:
    with twenty_served() as twenty:
        there = Scene(synced.whop, twenty, synced.parts)
        there.workspace = there.add_workspace("other")
        there.prepare()
        there.connection = there.add_connection(there.workspace)
        there.sync()
        yield there


def test_another_workspace_is_not_changed_passed_over_or_widened(synced: Scene, other: Scene) -> None:
    fields = sorted(other.rows("opportunities")[0])
    runs = newest_run(other)

    apply(synced, drafted(synced, WITH_FIELD))

    assert newest_run(other).id == runs.id
    assert sorted(other.rows("opportunities")[0]) == fields
    assert now(other).mapping_change is None
    version = synced.parts.tools.mappings.of(now(synced).id).version
    with pytest.raises(RefusedError):
        changing.known(other.tools, now(other), FILE, version, base=None)
