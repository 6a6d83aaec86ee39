"""A record that Twenty answers with unknown words each time: it fails alone; trouble is still waited out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from scene import Scene, cap_batches
from test_recognising import a_member, another

from connector.core.mapping import Mapping
from connector.core.outcomes import WriteResult
from connector.core.plan import PlannedWrite
from connector.crms.twenty import refusals
from connector.errors import ConnectorError
from connector.ports import Writer
from connector.sync.scope import Pace
from connector.sync.tools import Tools

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
WORDS = "The moon is in the wrong house"
RECORDS = 5 + 40 + 60


@dataclass
class Whimsical:
    """A CRM with a rule of its own; ``sent`` are the sizes of the requests that it refused."""

    writer: Writer
    dislikes: Callable[[PlannedWrite], bool]
    sent: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)

    def apply(self, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
        if any(self.dislikes(write) for write in writes):
            self.sent.append(len(writes))
            error = refusals.read(refusals.of_graphql({"message": WORDS}, 200))
            assert isinstance(error, ConnectorError)
            raise error
        return self.writer.apply(mapping, writes)


@pytest.fixture
def scene(scene: Scene) -> Scene:
    cap_batches(scene, 20)
    return scene


def disliking(scene: Scene, dislikes: Callable[[PlannedWrite], bool]) -> tuple[Whimsical, Tools]:
    assert scene.workspace is not None
    writer = Whimsical(scene.parts.openers.writer(scene.workspace, "full"), dislikes)
    tools = replace(scene.tools, pace=Pace(lanes=1), open_writer=lambda _workspace, _lane: writer)
    return writer, tools


def test_the_others_are_written_and_the_one_fails_in_twentys_words(scene: Scene) -> None:
    bad = [a_member(scene)["id"]]
    bad.append(another(scene, {"id": bad[0]})["id"])
    writer, tools = disliking(scene, lambda write: write.ref.id in bad)

    run = scene.go_on(scene.start(), tools=tools)

    assert run.status == "partial"
    failed = {entry.source_id: entry for entry in scene.log(run, "failed") if entry.kind == "member"}
    assert sorted(failed) == sorted(bad)
    for entry in failed.values():
        assert entry.error_code == "crm_unknown_refusal"
        assert WORDS in (entry.error or {})["message"]
    assert run.counts["person"]["created"] == 38 - len(bad)
    assert len(writer.sent) < 25

    again = scene.sync()

    assert again.status == "success"
    assert again.counts["person"]["created"] == len(bad)


def test_where_nothing_is_written_it_is_the_crm_that_is_waited_for(scene: Scene) -> None:
    writer, tools = disliking(scene, lambda write: write.ref.kind == "member")
    run_id = scene.start()

    for number in range(40):
        run = scene.advance(run_id, owner=f"worker-{number}", tools=tools)
        scene.clock.now = max(scene.clock.now, run.due_at)

    assert run.status == "running"
    assert (run.error or {})["code"] == "crm_unavailable"
    assert not scene.log(run, "failed")
    assert len(writer.sent) < 40 * 17

    assert scene.go_on(run_id).status == "success"


def test_a_record_that_has_nobody_beside_it_fails_after_a_long_time(scene: Scene) -> None:
    member = a_member(scene)
    scene.sync()
    scene.change("members", member["id"], user={"username": "other"})
    _, tools = disliking(scene, lambda write: write.ref.id == member["id"])
    began = scene.clock.now

    run = scene.go_on(scene.start(), tools=tools)

    assert run.status == "partial"
    assert [entry.source_id for entry in scene.log(run, "failed")] == [member["id"]]
    assert 5 * 60 < (scene.clock.now - began).total_seconds() < 20 * 60
