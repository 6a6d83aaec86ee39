"""Every recording of the real server is honoured: played on a tape, or told here where and why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import test_twenty_account_recordings
import test_twenty_limit_recordings
import test_twenty_recordings
from tape import FILES, INDEX

PLAYED = {
    FILES[number].stem
    for number in (
        *test_twenty_recordings.NUMBERS,
        *test_twenty_recordings.DELIVERIES,
        *test_twenty_account_recordings.NUMBERS,
        *test_twenty_limit_recordings.TAPE,
    )
}
#: By number: the test that honours what was seen or measured, or why the sandbox does not imitate it.
ELSEWHERE = {
    26: "test_the_public_configuration_says_whether_there_are_several_workspaces",
    50: "test_tokens_carry_the_recorded_claims",
    180: "Not asked by the connector: the list of objects says what a workspace supports.",
    287: "Not asked by the connector: it counts nothing in the CRM.",
    608: "test_17_calls_pass_after_ten_quiet_seconds",
    609: "test_an_almost_empty_bucket_lets_every_second_call_through_as_recorded",
    610: "Overshooting by parallel requests is a race of the real server; the sandbox counts under a lock.",
    690: "test_a_life_of_a_person_is_told_in_the_recorded_events",
    700: "test_recorded_times_are_those_that_were_measured",
    701: "test_recorded_times_are_those_that_were_measured",
    858: "test_a_race_of_upserts_can_be_played_by_a_dial",
    897: "test_without_redis_requests_hang_and_come_to_nothing",
    898: "test_without_redis_requests_hang_and_come_to_nothing",
    902: "test_one_registration_serves_every_workspace",
    986: "test_thousands_of_values_are_looked_up_at_once",
    992: "test_a_walk_by_cursor_meets_every_row_once",
    997: "test_recorded_times_are_those_that_were_measured",
    1024: "test_a_cut_connection_leaves_the_work_undone_or_done",
    1025: "test_applications_that_act_for_a_person_are_not_limited",
    1026: "How much two requests in flight gain is a matter of the machine; the sandbox works under a lock.",
    1030: "test_of_equal_creates_one_is_written_and_the_others_are_refused",
}
HERE = Path(__file__).parent


def test_every_recording_of_the_index_is_here():
    told = {entry["file"].removesuffix(".json") for entry in json.loads(INDEX.read_text())["recordings"]}

    assert told == {path.stem for path in FILES.values()}
    assert len(told) == 613


def test_every_recording_is_played_or_told_elsewhere():
    elsewhere = {FILES[number].stem for number in ELSEWHERE}

    assert {path.stem for path in FILES.values()} - PLAYED - elsewhere == set()
    assert PLAYED & elsewhere == set()


@pytest.mark.parametrize("name", sorted(each for each in ELSEWHERE.values() if each.startswith("test_")))
def test_a_test_that_honours_a_recording_exists(name: str):
    assert any(f"def {name}(" in path.read_text() for path in HERE.glob("test_twenty_*.py"))
