"""A worker killed at every seam: the end is that of a run nobody disturbed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, SEAMS, Fate, Killed, breakable, with_changes, with_late
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene import (
    PLURALS,
    Clock,
    Scene,
    Service,
    built,
    cap_batches,
    environment,
    picture,
    total,
    twenty_served,
    whop_served,
)

from connector.store import intents, workspaces
from connector.store.runs import Run
from connector.sync import mirror

Stage = Callable[[], Any]


@pytest.fixture(scope="module")
def small_whop() -> Iterator[Service]:
    """14 members and 18 memberships."""
    with whop_served(members=14, memberships=18) as service:
        yield service


@dataclass(frozen=True)
class Prepared:
    """An installation before its first sync, to be copied: database, CRM, settings, and what is connected."""

    database: Path
    crm: Path
    env: dict[str, str]
    scene: Scene


@pytest.fixture(scope="module")
def prepared(
    small_whop: Service, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    database, crm = shutil.copyfile(sqlite_template, folder / "connector.db"), folder / "crm"
    crm.mkdir()
    env = environment(f"sqlite:///{database}", small_whop.url, "unix:///nowhere")
    with twenty_served(data_dir=crm) as twenty, closing(built(env)) as parts:
        scene = Scene(small_whop, twenty, parts).connect()
        cap_batches(scene, 6)  # several requests for each window
    return Prepared(database, crm, env, scene)


@pytest.fixture
def stage(small_whop: Service, prepared: Prepared, tmp_path: Path) -> Stage:
    """A fresh CRM and a fresh database each time it is called; the same company."""
    count = iter(range(10_000))

    @contextmanager
    def fresh() -> Iterator[Scene]:
        folder = tmp_path / str(next(count))
        crm = shutil.copytree(prepared.crm, folder / "crm")
        database = shutil.copyfile(prepared.database, folder / "connector.db")
        env = prepared.env | {"DATABASE_URL": f"sqlite:///{database}"}
        known = prepared.scene
        with twenty_served(data_dir=crm) as twenty, closing(built(env)) as parts:
            assert known.workspace is not None
            with parts.database.transaction() as session:
                workspaces.move(session, known.workspace.id, twenty.url)
            scene = Scene(small_whop, twenty, parts, clock=Clock(step=2))
            scene.workspace, scene.connection = known.workspace, known.connection
            yield scene

    return fresh


@dataclass(frozen=True)
class End:
    """What counts of a run that has ended."""

    status: str
    counts: Any
    entries: Any
    crm: Any


def end(scene: Scene, run: Run) -> End:
    entries = sorted((one.kind, one.source_id, one.result, one.reason or "") for one in scene.log(run))
    return End(run.status, run.counts, entries, picture(scene))


def over_what(scene: Scene, run: Run) -> dict[str, tuple[Any, Any]]:
    """Of each update, what was written and over what: the CRM does not know the latter any more."""
    return {one.source_id: (one.before, one.after) for one in scene.log(run, "updated")}


def intents_of(scene: Scene, run: Run) -> dict[tuple[str, str], Any]:
    with scene.parts.database.reading() as session:
        return intents.of_run(session, run.workspace_id, run.number)


def late_members(scene: Scene) -> list[str]:
    """Two who joined after the members were read: their memberships have them fetched first."""
    having = {one["member_id"] for one in scene.records("memberships") if one["status"] != "drafted"}
    return sorted(one["id"] for one in scene.records("members") if one["id"] in having)[:2]


def disturbed(scene: Scene, kills: Sequence[tuple[str, int]]) -> tuple[Run, int]:
    """Run with one worker after the other; each is killed at its seam. How many really were, too."""
    run_id, late = scene.start(), late_members(scene)
    killed = 0
    for seam, nth in kills:
        fate = Fate(seam, nth)
        with suppress(Killed):
            scene.go_on(run_id, tools=with_late(breakable(scene, fate), late))
        killed += fate.struck
        if not fate.struck:
            return scene.run(run_id), killed
        scene.clock.advance(mirror.LEASE.total_seconds() + 120)  # the lease ends, and every claim
    if scene.run(run_id).active:
        assert mirror.sweep(scene.tools) == 1
        scene.go_on(run_id, tools=with_late(scene.tools, late))
    return scene.run(run_id), killed


@pytest.fixture
def undisturbed(stage: Stage) -> End:
    """The end that every disturbed run must reach."""
    with stage() as scene:
        late = late_members(scene)
        return end(scene, scene.sync(wrap=lambda tools: with_late(tools, late)))


@pytest.mark.parametrize("seam", SEAMS)
def test_a_worker_killed_at_any_seam_leaves_no_trace(stage: Stage, undisturbed: End, seam: str) -> None:
    nth = 0
    struck = True
    while struck:
        nth += 1
        with stage() as scene:
            run, killed = disturbed(scene, [(seam, nth)])

            assert end(scene, run) == undisturbed, f"killed {seam}, the {nth}th time"
            struck = bool(killed)
    assert nth > 2, "the seam is passed several times in a run"


@given(st.lists(st.tuples(st.sampled_from(SEAMS), st.integers(1, 12)), min_size=2, max_size=5))
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_many_kills_in_one_run_leave_no_trace(
    stage: Stage, undisturbed: End, kills: list[tuple[str, int]]
) -> None:
    with stage() as scene:
        run, _ = disturbed(scene, kills)

        assert end(scene, run) == undisturbed


def test_counts_of_a_disturbed_run_add_up(stage: Stage) -> None:
    with stage() as scene:
        run, killed = disturbed(scene, [(SEAMS[1], 4), (SEAMS[3], 5), (SEAMS[5], 2)])

        assert killed == 3
        assert total(run) == sum(len(scene.records(kind)) for kind in ("products", "members", "memberships"))
        for plural, object_ in zip(PLURALS, ("whopProduct", "person", "opportunity"), strict=True):
            assert run.counts[object_]["created"] == len(scene.rows(plural))


@pytest.mark.parametrize(("seam", "places"), [(AFTER_CRM, range(3, 12, 2)), (AFTER_COMMIT, range(3, 10, 2))])
def test_updates_of_a_killed_worker_are_still_told_as_updates(
    stage: Stage, seam: str, places: Sequence[int]
) -> None:
    with stage() as scene:
        scene.sync()
        run = scene.sync(wrap=with_changes)
        calm, written = end(scene, run), over_what(scene, run)
    assert calm.counts["opportunity"]["updated"] > 10
    assert all(before and after for before, after in written.values())

    for nth in places:
        with stage() as scene:
            scene.sync()
            run_id, fate = scene.start(), Fate(seam, nth)
            with suppress(Killed):
                scene.go_on(run_id, tools=with_changes(breakable(scene, fate)))
            scene.clock.advance(mirror.LEASE.total_seconds() + 120)

            run = scene.go_on(run_id, tools=with_changes(scene.tools))

            assert fate.struck
            assert end(scene, run) == calm, f"killed {seam}, the {nth}th time"
            assert over_what(scene, run) == written, f"killed {seam}, the {nth}th time"
            assert intents_of(scene, run) == {}
