"""Each workspace may have mapping files of its own: they count for it alone, and for a run to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from events import a_body, receive, take
from scene import Scene, twenty_served

from connector.store import mappings, workspaces
from connector.store.mappings import NewChange
from connector.sync.mappings import Mapped, Mappings

SHOUTING = ("using: trim, own: fill}", "using: [trim, upper], own: always}")


def put(scene: Scene, file: str, *swaps: tuple[str, str]) -> Mapped:
    """Put a changed file in force for the scene's workspace, as one who has looked at its effects."""
    assert scene.workspace is not None
    files, database = scene.parts.tools.mappings, scene.parts.database
    with database.reading() as session:
        workspace = workspaces.get(session, scene.workspace.id)
    texts = files.texts(workspace)
    for before, after in swaps:
        assert before in texts[file], before
        texts[file] = texts[file].replace(before, after)
    version = files.load(texts).version
    new = NewChange(file, "own", texts[file], version, "Marta", "edited", workspace.mapping_change)
    with database.transaction() as session:
        mappings.add(session, workspace.id, new, scene.clock())
    return files.of(workspace.id)


@pytest.fixture
def two(scene: Scene) -> Iterator[tuple[Scene, Scene]]:
    """Two workspaces in one process, each with a Twenty of its own and the same company."""
    with twenty_served() as other:
        there = Scene(scene.whop, other, scene.parts)
        there.workspace = there.add_workspace("other")
        there.prepare()
        there.connection = there.add_connection(there.workspace)
        yield scene, there


def names(scene: Scene) -> set[str]:
    return {row["name"] for row in scene.rows("opportunities")}


def test_a_workspaces_own_file_counts_for_it_and_for_no_other(two: tuple[Scene, Scene]) -> None:
    ours, theirs = two
    before = theirs.parts.tools.mappings.of(theirs.workspace.id)  # type: ignore[union-attr]

    put(ours, "membership.yaml", SHOUTING)
    assert ours.sync().status == "success"
    run = theirs.sync()

    assert names(ours) == {name.upper() for name in names(theirs)} != names(theirs)
    assert run.mapping_version == before.version == theirs.parts.tools.mappings.shipped.version
    assert theirs.parts.tools.mappings.of(theirs.workspace.id) is before  # type: ignore[union-attr]


def test_two_workspaces_with_changes_of_the_same_number_get_each_its_own(two: tuple[Scene, Scene]) -> None:
    ours, theirs = two
    put(ours, "membership.yaml", SHOUTING)
    put(theirs, "membership.yaml", ("using: trim, own: fill}", "using: [trim, lower], own: fill}"))

    assert ours.sync().status == theirs.sync().status == "success"

    assert {name.lower() for name in names(ours)} == names(theirs)
    assert names(ours) == {name.upper() for name in names(ours)} != names(theirs)


def elsewhere(scene: Scene) -> Mappings:
    """The same installation, as another process has it."""
    files = scene.parts.tools.mappings
    return Mappings(scene.parts.database, files.shipped, files.load, files.summed)


@pytest.mark.parametrize("in_another_process", [False, True])
def test_a_run_ends_by_the_files_that_it_began_with(scene: Scene, in_another_process: bool) -> None:
    scene.clock.step = timedelta(seconds=2)
    tools = replace(scene.tools, block_pages=1)
    run_id = scene.start()
    run = scene.advance(run_id, tools=tools)
    assert run.active
    assert run.mapping_version is not None

    put(scene, "membership.yaml", SHOUTING)
    later = replace(tools, mappings=elsewhere(scene)) if in_another_process else tools
    ended = scene.go_on(run_id, tools=later)

    assert (ended.status, ended.mapping_version) == ("success", run.mapping_version)
    assert names(scene) != {name.upper() for name in names(scene)}
    again = scene.sync()
    assert again.mapping_version not in (None, run.mapping_version)
    assert names(scene) == {name.upper() for name in names(scene)}


def test_a_run_goes_on_though_the_files_are_wrong_that_were_put_in_force_meanwhile(scene: Scene) -> None:
    scene.clock.step = timedelta(seconds=2)
    tools = replace(scene.tools, block_pages=1)
    run_id = scene.start()
    assert scene.advance(run_id, tools=tools).active

    spoil(scene)

    assert scene.go_on(run_id, tools=tools).status == "success"


def test_files_that_do_not_go_with_the_shipped_ones_stop_this_workspace_alone(
    two: tuple[Scene, Scene],
) -> None:
    ours, theirs = two
    spoil(ours)

    run = ours.sync()

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "own_mapping_file"
    assert "membership.yaml:1:1: " in run.error["message"]
    assert ours.rows("opportunities") == []
    assert theirs.sync().status == "success"


def test_a_file_that_does_not_count_any_more_writes_nothing(scene: Scene) -> None:
    assert scene.workspace is not None
    spoil(scene, file="product.yaml", state="off")
    put(
        scene,
        "membership.yaml",
        ("  whopProduct:    {kind: product", "  #"),
        ("      whopProduct: prod_1\n", ""),
    )

    run = scene.sync()

    assert run.status == "success"
    assert set(run.counts) == {"person", "opportunity"}
    assert scene.rows("whopProducts") == []


def test_an_event_goes_by_the_workspaces_own_files(scene: Scene) -> None:
    scene.sync()
    put(scene, "membership.yaml", SHOUTING)
    found = scene.records("memberships")[0]

    receive(scene, a_body(scene, "membership.activated", found))
    take(scene)

    assert scene.deal_of(found["id"])["name"].isupper()


def test_what_a_job_costs_does_not_grow_by_files_of_its_own(scene: Scene) -> None:
    """The files are loaded once by their change, not for each job or event."""
    put(scene, "membership.yaml", SHOUTING)
    files = scene.parts.tools.mappings
    loads: list[object] = []
    real, files.load = files.load, lambda texts: loads.append(texts) or real(texts)

    found = [files.of(scene.workspace.id) for _ in range(20)]  # type: ignore[union-attr]

    assert not loads
    assert all(one_ is found[0] for one_ in found)


def spoil(scene: Scene, *, file: str = "membership.yaml", state: str = "own") -> None:
    """As after an upgrade: what was put in force does not load any more. Or a file that does not count."""
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        base = workspaces.get(session, scene.workspace.id).mapping_change
        text = "version: 7" if state == "own" else None
        new = NewChange(file, state, text, "v", "Marta", "edited", base)  # type: ignore[arg-type]
        mappings.add(session, scene.workspace.id, new, scene.clock())
