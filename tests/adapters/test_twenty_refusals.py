"""Every recorded error is read as what it means; what is unknown is passing trouble."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connector.crms.twenty import refusals
from connector.crms.twenty.refusals import Kind, Refusal, Trouble
from connector.errors import ReconnectError, SchemaError, TryLaterError

RECORDINGS = Path(__file__).parents[1] / "recordings" / "twenty"

LIMIT, LATER, SCHEMA = "crm_rate_limit", "crm_unavailable", "crm_schema"
CREDENTIAL, DENIED = "crm_credential", "crm_permission"
D, P, B, N = Kind.DUPLICATE, Kind.PARENT_GONE, Kind.BAD_VALUE, Kind.NOT_FOUND
MANY, LARGE = Kind.TOO_MANY, Kind.TOO_LARGE

# What each recording means: by number, an error code of ours or a kind of refusal.
MEANINGS: dict[int, Any] = {
    **dict.fromkeys((7, 8, 9, 11, 12, 13, 18, 19, 27, 98, 99), CREDENTIAL),
    **dict.fromkeys((38, 39, 40, 84, 90, 92, 93, 94, 95), CREDENTIAL),
    **dict.fromkeys((82, 83, 884, 885), "crm_person_gone"),
    20: "crm_workspace_gone",
    **dict.fromkeys((14, 42, 67, 86, 87, 88, 89, 113, 441, 442, 443, 445, 446, 751), DENIED),
    **dict.fromkeys((656, 874, 876, 877, 878, 881, 886, 1018), DENIED),
    **dict.fromkeys((10, 29, 159, 167, 169, 234, 235, 236, 249, 253, 275, 278, 284), SCHEMA),
    **dict.fromkeys((408, 410, 504, 505, 864, 988), SCHEMA),
    **dict.fromkeys((600, 601, 602, 603, 606), LIMIT),
    **dict.fromkeys((28, 145, 174, 204, 206, 341, 353, 354, 415, 416, 975, 1031), N),
    **dict.fromkeys((106, 107, 109, 129, 130, 151, 153, 179), D),
    **dict.fromkeys((207, 208, 210, 217, 219, 307, 308, 317, 324, 327, 344, 345), D),
    **dict.fromkeys((403, 404, 405, 407, 847, 853, 854, 951, 952, 954, 955, 957, 959), D),
    **dict.fromkeys((960, 961, 964, 965, 966, 967, 968, 969, 982, 1023), D),
    **dict.fromkeys((224, 228, 331, 417, 979, 999, 1029, 1032), P),
    **dict.fromkeys((303, 329, 362, 363, 402), MANY),
    **dict.fromkeys((281, 282, 859), LARGE),
    **dict.fromkeys((103, 108, 110, 111, 112, 131, 132, 133, 134, 135, 136), B),
    **dict.fromkeys((143, 160, 171, 177, 205, 223, 225, 230, *range(237, 249), 251), B),
    **dict.fromkeys((264, 268, 276, 277, 305, 326, 350, 351, 358, 359), B),
    **dict.fromkeys((411, 412, 413, 414, 436, 511, 800, 807, 809, 810), B),
    **dict.fromkeys((816, 817, 818, 819, 837, 841, 860), B),
    **dict.fromkeys((309, 432, 433, 434, 437, 438, 439, 861, 862, 890, 891, 892, 893), LATER),
    **dict.fromkeys((6, 41, 652), LATER),
}
#: Read elsewhere: OAuth answers {error, error_description} (the sign-in reads those), 674 is what a receiver
#: of webhooks answered to Twenty.
ELSEWHERE = {*range(32, 36), *range(43, 62), *range(77, 82), 674, 895, 903, 905, 906, 907}

FIELDS = {
    223: "stage",
    225: "pointOfContactId",
    228: "whopProduct",
    237: "name",
    238: "jobTitle",
    239: "name",
    240: "emails.primaryEmail",
    241: "whopStatus",
    242: "whopJoinedAt",
    243: "whopJoinedAt",
    245: "isArchived",
    251: "stage",
    411: "emails.primaryEmail",
    511: "status",
    800: "emails.primaryEmail",
    816: "whopJoinedAt",
    982: "whopUserId",
}
SHOWN = {223: '"WON"', 238: "123", 240: "'not-an-email'", 243: "1735689600", 246: "abc", 816: "''"}


def number_of(path: Path) -> int:
    return int(path.name.partition("-")[0])


def recorded() -> dict[int, dict[str, Any]]:
    """The recorded answers that are errors, by number."""
    found = {}
    for path in sorted(RECORDINGS.rglob("[0-9]*.json")):
        told = json.loads(path.read_text())
        answer = told.get("response") if isinstance(told, dict) else None
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), int):
            continue
        body = answer.get("body")
        if answer["status"] >= 400 or (isinstance(body, dict) and body.get("errors")):
            found[number_of(path)] = answer
    return found


ANSWERS = recorded()


def meant(number: int) -> Any:
    answer = ANSWERS[number]
    body, status = answer.get("body"), answer["status"]
    if isinstance(body, dict) and isinstance(body.get("errors"), list):
        return refusals.read(refusals.of_graphql(body["errors"][0], status))
    return refusals.read(refusals.of_rest(body, status))


@pytest.mark.parametrize("number", sorted(MEANINGS.keys() & ANSWERS.keys()))
def test_a_recorded_error_is_read_as_what_it_means(number: int):
    error = meant(number)

    assert (error.kind if isinstance(error, Refusal) else error.code) == MEANINGS[number], str(error)


def test_every_recorded_error_has_a_meaning():
    assert ANSWERS.keys() - MEANINGS.keys() - ELSEWHERE == set()
    assert MEANINGS.keys() <= ANSWERS.keys()
    assert ELSEWHERE & MEANINGS.keys() == set()


@pytest.mark.parametrize("number", sorted(FIELDS.keys() & ANSWERS.keys()))
def test_a_refusal_keeps_the_field_it_names(number: int):
    assert meant(number).spot == FIELDS[number]


@pytest.mark.parametrize("number", sorted(SHOWN.keys() & ANSWERS.keys()))
def test_a_refusal_keeps_the_value_it_shows(number: int):
    assert meant(number).shown == SHOWN[number]


def test_a_refusal_knows_the_record_that_has_the_value_already():
    assert meant(964).holder == "39c84f2d-5227-535d-92cc-9ccd4d1909b7"
    assert meant(982).row == "bbf2990d-3a56-5dc4-8a75-f9e2097751da"


def test_the_cap_is_taken_from_the_message():
    assert meant(303).cap == 200
    assert refusals.read(trouble("Maximum number of records to upsert is 60.")).cap == 60


def test_the_wait_of_a_full_bucket_is_one_token():
    assert meant(600).after == pytest.approx(0.6)


def test_the_cause_of_a_refused_schema_change_is_told_without_its_consequences():
    assert str(meant(129)) == 'Name "whopId" is not available as it is already used by another field'
    assert str(meant(106)) == "Object already exists"
    assert str(meant(134)) == 'Value must be in UPPER_CASE and follow snake_case "a b"'


def trouble(message: str, status: int = 400, *codes: str) -> Trouble:
    return Trouble(message, frozenset(codes), status)


@pytest.mark.parametrize(
    "unknown",
    [
        trouble("connect ECONNREFUSED 127.0.0.1:5433", 400, "Error"),
        trouble("Connection terminated unexpectedly", 200, "INTERNAL_SERVER_ERROR"),
        trouble("Query read timeout", 400, "Error"),
        trouble("something must be a teapot and is required", 400, "BadRequestException"),
        trouble("connect ECONNREFUSED 127.0.0.1:5433", 400, "Bad Request"),
        trouble("Invalid state of the pool", 500),
        trouble("<html>Bad gateway</html>", 502),
        trouble("", 503),
        trouble("no answer", 404),
    ],
)
def test_what_is_not_known_is_passing_trouble(unknown: Trouble):
    error = refusals.read(unknown)

    assert isinstance(error, TryLaterError)
    assert error.code == "crm_unavailable"


def test_a_limit_in_other_words_is_a_limit():
    error = refusals.read(trouble("Too many requests", 429))

    assert (error.code, error.after) == ("crm_rate_limit", None)


def test_a_value_that_looks_like_a_message_does_not_mislead():
    text = 'Invalid value "x for field \\"no\\"" for field "stage". Valid values are: NEW'

    assert refusals.read(trouble(text)).spot == "stage"


@pytest.mark.parametrize("odd", [None, "text", {}, {"extensions": None}, {"extensions": []}, {"message": 3}])
def test_an_error_of_no_known_shape_is_passing_trouble(odd: Any):
    assert isinstance(refusals.read(refusals.of_graphql(odd, 200)), TryLaterError)


@pytest.mark.parametrize("odd", [None, "", [], {}, {"messages": None}, {"errors": {"objectMetadata": [0]}}])
def test_a_body_of_no_known_shape_is_passing_trouble(odd: Any):
    assert isinstance(refusals.read(refusals.of_rest(odd, 500)), TryLaterError)


def test_errors_of_the_whole_run_say_what_to_do():
    for number, cls in ((8, ReconnectError), (442, ReconnectError), (236, SchemaError)):
        error = meant(number)
        assert isinstance(error, cls)
        assert re.search(r"\w", error.remedy)
