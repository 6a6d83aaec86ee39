"""The recordings of the real server, played against the sandbox in the order in which they were made.

One tape for the whole file: what a recording needs is what earlier ones left, or a named preparation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import preparations as prep
import pytest
from tape import FILES, Number, Tape, check, filled, misfits
from twenty_helpers import Twenty

PERSON, OPPORTUNITY = "05172317-2ab9-43ae-a50a-cbafb5d1af70", "262c0e87-20a4-4b35-bd66-2f5d40ad8031"
JOB_TITLE = "16229ce1-a341-43d7-a038-9eda1e6778cd"
ADMIN = "77d2065e-b195-4768-8439-6d7b22ffef21"


Step = Number | Callable[[Tape], None]
TAPE: tuple[Step, ...] = (
    7, 8, 9, 10, 11, 12, 13, 14, 18, 19, 24, 25, 27, 28, 29, 67, 68, 98, 99, 100, 101, 102, 103, 104, 750,
    105, 113, *range(114, 137), *range(106, 113), *range(137, 146), *range(150, 155), *range(155, 160),
    prep.dup_candidate, *range(160, 168), 168, 169, 170, 171, 172, 174, 177, 179, 181, prep.at_browser,
    182, 447, *range(200, 227), 173, *range(227, 251), 251, prep.long_text, 252, 253, 300, 301, 302, 303,
    304, 305, 306, 307, 308, 309, 310, *range(311, 333), *range(340, 352), *range(352, 365),
    prep.restored_ada, *range(260, 287), *range(288, 290), 365, 366, *range(400, 423), 423,
    "423-gql-no-first", 424, 425, 426, 427, 428, 429, *range(430, 447), 448, *range(500, 520),
    prep.held_webhooks, *range(650, 664), prep.delivered, 175, 176, 178, *range(800, 822), 822, 823, 824,
    825, *range(830, 838), *range(840, 849), *range(850, 853), prep.held_live, 853, 854, 855, 856, 857,
    *range(859, 865), *range(950, 958), prep.five_rows, 958, 959, prep.own_rows, *range(960, 971),
    prep.two_hundred_rows, 971, prep.upsert_rows, 972, prep.guarded_rows, 973, 974, 975,
    prep.known_update, 976, 977, 978, prep.half_rows, 979, 980, prep.ghost, 981, 982, 983, 984, 985, 987,
    988, prep.additional_rows, 989, prep.more_with_additional, 990, 991, prep.changes, 993, 994, 1034,
    prep.partial_rows, 995, 996, 1027, prep.contact_rows, 998, 999, 1000, 1028, prep.merged_people,
    *range(1001, 1008), 1008, 1009, 1010, 1029, 1011, prep.viewed_fields, 1012, 1013, 1014,
    prep.more_columns, 1015, 1016, 1017, 1018, 1019, 1020, 1021, 1022, 1023, prep.one_in_the_bin, 1031,
    prep.out_of_the_bin, 1033, 1032, 751, prep.signed_in, 752, 753,
)  # fmt: skip
#: Answers that depend on what else was in the recorded workspace: their form is compared.
FORMS: dict[Number, str] = {
    104: "which fields come first depends on their ids",
    100: "which objects come first depends on their ids",
    447: "the same",
    **dict.fromkeys((229, 285, 514, 515), "the server's own timeline is not imitated"),
    252: "the recording shortens the text",
    **dict.fromkeys(
        (*range(260, 264), 265, 266, 267, 269, 274, 283, 289, 409, 444), "other people were there"
    ),
    **dict.fromkeys((422, 423, "423-gql-no-first", 424, 448, 855, 993, 994), "other people were there"),
    1017: "other views were there",
}
DELIVERIES = prep.DELIVERIES
NUMBERS = [step for step in dict.fromkeys(TAPE) if isinstance(step, int | str)]


def a_tape() -> Tape:
    """The sandbox with the ids that the recordings take for known, and the tokens they tell of."""
    tape = Tape(Twenty(workspaces=2))
    twenty = tape.twenty
    fields = twenty.rest("GET", f"/rest/metadata/objects/{twenty.object_id('person')}")["fields"]
    tape.ids = {
        PERSON: twenty.object_id("person"),
        OPPORTUNITY: twenty.object_id("opportunity"),
        JOB_TITLE: next(field["id"] for field in fields if field["name"] == "jobTitle"),
        ADMIN: tape.turn("users", do="session", email="admin@acme.test")["member"],
        "77bce9d1-3e3c-4dff-822c-855d63602254": _workspace_id(twenty),
    }
    for number, rows in prep.SHORTENED.items():
        tape.bodies[number] = _filling(number, rows)
    tape.bodies[859] = lambda _tape: " " * (11 * 1024 * 1024)
    tape.keys = _keys(tape)
    return tape


def _workspace_id(twenty: Twenty) -> str:
    return str(twenty.meta("{currentWorkspace{id}}")["data"]["currentWorkspace"]["id"])


def _filling(number: Number, rows: Any) -> Callable[[Tape], Any]:
    return lambda tape: filled(tape.sent(number), rows)


def _keys(tape: Tape) -> dict[str, str]:
    """The tokens that the recordings tell of, by what they are called there."""
    made = {}
    for name, role, act in (
        ("read-only", "read_only", "renew"),
        ("revoked", "admin", "revoke"),
        ("past its expiresAt", "admin", "expire"),
        ("JWT expired", "admin", "expire_token"),
    ):
        key = tape.turn("keys", do="new", role=role, name="Whop sync")["key"]
        made[name] = tape.turn("keys", do=act, key=key)["key"]
    mine = tape.twenty.key
    broken = mine[:-6] + ("AAAAAA" if not mine.endswith("AAAAAA") else "BBBBBB")
    other = Twenty(tape.twenty.app, 1).key
    return {**made, "broken signature": broken, "not-a-jwt": "not-a-jwt", "another workspace": other}


@pytest.fixture(scope="module")
def tape() -> Tape:
    played = a_tape()
    for step in TAPE:
        if callable(step):
            step(played)
        else:
            played.play(step)
    return played


@pytest.mark.parametrize("number", NUMBERS, ids=[FILES[number].stem for number in NUMBERS])
def test_the_sandbox_answers_as_the_recorded_server_did(tape: Tape, number: Number) -> None:
    check(tape, number, form_only=number in FORMS)


@pytest.mark.parametrize("number", DELIVERIES, ids=[FILES[number].stem for number in DELIVERIES])
def test_a_webhook_says_what_the_recorded_one_said(tape: Tape, number: Number) -> None:
    theirs, (_status, ours) = tape.sent(number), tape.answers[number]

    assert list(ours) == list(theirs)
    assert misfits(theirs, ours) == []
    for name in ("eventName", "targetUrl", "updatedFields"):
        assert ours.get(name) == theirs.get(name)
