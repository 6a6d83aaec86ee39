"""The recordings of accounts, played against the sandbox: OAuth, roles, keys, permissions, two workspaces.

One tape for the whole file, in the order in which they were made.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from tape import FILES, Number, Tape, check
from twenty_helpers import Twenty

FIRST, SECOND = "77bce9d1-3e3c-4dff-822c-855d63602254", "8b5ce997-0432-4f27-a26d-8c51ec17dfba"
ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
REFRESH = "OAuth refresh token"
ACCESS, EXPIRED = "OAuth access token", "OAuth access token, expired"
OF_MEMBER = "OAuth access token of a non-admin member"
LIMITED = "API key: role may read+update person"


def people(tape: Tape, email: str) -> Any:
    return tape.turn("users", do="session", email=email)


def alone(tape: Tape) -> None:
    """In the recorded workspace the admin was alone at first."""
    tape.turn("users", do="remove", email=MEMBER)
    told = people(tape, ADMIN)
    tape.keys |= {"<user access token": told["session"], "workspace-agnostic": told["homeless"]}
    tape.keys["<token>"] = told["session"]


def by_key(tape: Tape) -> None:
    """From here on a bare token is the Admin key's."""
    tape.keys["<token>"] = tape.twenty.key


def revoked(tape: Tape) -> None:
    """016 uses the key of 015, which 017 revokes."""
    body = {
        "query": "mutation($a:UUID!,$e:String!){generateApiKeyToken(apiKeyId:$a,expiresAt:$e){token}}",
        "variables": {
            "a": tape.answers[15][1]["data"]["createApiKey"]["id"],
            "e": "2030-01-01T00:00:00.000Z",
        },
    }
    made = tape.twenty.send("POST", "/metadata", body, people(tape, ADMIN)["session"]).json
    tape.keys["<token>"] = made["data"]["generateApiKeyToken"]["token"]


def again_at_browser(tape: Tape) -> None:
    tape.keys["<token>"] = people(tape, ADMIN)["session"]


def token(number: Number, name: str) -> Callable[[Tape], None]:
    """Keep the access token that a recording answered under what later ones call it."""

    def keep(tape: Tape) -> None:
        answer = tape.answers[number][1]
        tape.keys[name] = answer["access_token"]
        tape.keys[REFRESH] = answer.get("refresh_token", tape.keys.get(REFRESH))

    return keep


def with_tokens(tape: Tape) -> None:
    """Requests whose tokens and secrets the recordings leave out."""
    for numbers, field, name in (
        ((51, 52, 73, 97), "refresh_token", REFRESH),
        ((54,), "refresh_token", ACCESS),
        ((58, 61), "token", ACCESS),
        ((59, 72), "token", REFRESH),
        ((96,), "token", EXPIRED),
    ):
        for number in numbers:
            tape.bodies[number] = _with(number, field, lambda played, name=name: played.keys[name])
    for number in (77, 80, 81, 903):
        tape.bodies[number] = _with(number, "client_secret", _secret)


def _with(number: Number, field: str, value: Callable[[Tape], str]) -> Callable[[Tape], Any]:
    return lambda tape: {**tape.sent(number), field: value(tape)}


def _secret(tape: Tape) -> str:
    made = tape.answers[76][1]["data"]["createApplicationRegistration"]
    return str(made["clientSecret"])


def consent(tape: Tape, email: str, workspace: int = 0) -> str:
    """A person says yes to the application of a recorded consent; the code."""
    told = tape.turn("users", do="session", email=email, workspace=workspace)
    sent = tape.sent(37)
    sent["variables"]["c"] = tape.ids[sent["variables"]["c"]]
    made = tape.twenty.send("POST", "/metadata", sent, told["session"]).json
    return str(made["data"]["authorizeApp"]["redirectUrl"]).partition("code=")[2].partition("&")[0]


def tokens_of(tape: Tape, email: str, workspace: int = 0) -> Any:
    """The tokens of a person, got as 048 got them."""
    code = consent(tape, email, workspace)
    body = {**tape.sent(49), "code": code, "client_id": tape.ids[tape.sent(49)["client_id"]]}
    return tape.twenty.client.post("/oauth/token", json=body).json


def consent_to_confidential(tape: Tape) -> None:
    """The code of 078 to 080 was given for the client of 076."""
    client = tape.sent(78)
    told = people(tape, ADMIN)
    sent = tape.sent(37)
    sent["variables"] |= {"c": tape.ids[client["client_id"]], "cc": _challenge(client["code_verifier"])}
    made = tape.twenty.send("POST", "/metadata", sent, told["session"]).json
    code = made["data"]["authorizeApp"]["redirectUrl"].partition("code=")[2].partition("&")[0]
    tape.ids[client["code"]] = code


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def a_member(tape: Tape) -> None:
    """A second person, with the role Member, and tokens of both that speak for the same application."""
    tape.turn("users", do="add", email=MEMBER, role="member")
    tape.keys[OF_MEMBER] = tokens_of(tape, MEMBER)["access_token"]
    tape.keys["OAuth access token of an admin"] = tokens_of(tape, ADMIN)["access_token"]


def expired(tape: Tape) -> None:
    tape.keys[EXPIRED] = tape.keys[ACCESS]
    tape.turn("oauth", do="expire_access")


def tokens_again(tape: Tape) -> None:
    """Those of before have been ended."""
    tape.keys[OF_MEMBER] = tokens_of(tape, MEMBER)["access_token"]


def with_our_fields(tape: Tape) -> None:
    tape.twenty.with_fields()


def a_limited_role(tape: Tape) -> None:
    """The role of 870 may do nothing, and the key of 872 has it; both belong to the Admin."""
    body = tape.sent(4)
    given = body["variables"]["i"]
    given |= {"label": "Limited", "canReadAllObjectRecords": False}
    session = people(tape, ADMIN)["session"]
    role = tape.twenty.send("POST", "/metadata", body, session).json["data"]["createOneRole"]["id"]
    tape.ids[tape.sent(870)["variables"]["i"]["roleId"]] = role
    person = tape.sent(870)["variables"]["i"]["objectPermissions"][0]["objectMetadataId"]
    tape.ids[person] = tape.twenty.object_id("person")
    fields = tape.twenty.rest("GET", f"/rest/metadata/objects/{tape.ids[person]}")["fields"]
    title = next(field["id"] for field in fields if field["name"] == "jobTitle")
    tape.ids[tape.sent(871)["variables"]["i"]["fieldPermissions"][0]["fieldMetadataId"]] = title
    made = tape.turn("keys", do="new", role="read_only", name="Limited")
    tape.ids[tape.sent(880)["variables"]["a"]] = made["id"]
    tape.ids[tape.sent(880)["variables"]["r"]] = _reader(tape)
    assign = {**tape.sent(880), "variables": {"a": made["id"], "r": role}}
    tape.twenty.send("POST", "/metadata", assign, session)
    tape.keys[LIMITED] = tape.keys["the same API key, now with a read-only role"] = made["key"]
    tape.twenty.person(whopUserId="t_101936")


def _reader(tape: Tape) -> str:
    return str(tape.answers[4][1]["data"]["createOneRole"]["id"])


def a_member_to_go(tape: Tape) -> None:
    tape.keys["OAuth access token of a member"] = tokens_of(tape, MEMBER)["access_token"]
    tape.ids[tape.sent(883)["variables"]["i"]] = people(tape, MEMBER)["member"]


def database_down(tape: Tape) -> None:
    tape.turn("server", down="database")


def database_up(tape: Tape) -> None:
    tape.turn("server", down=None)


def second_workspace(tape: Tape) -> None:
    """The recorded second workspace was called Beta; the application was let in there too."""
    tape.ids[SECOND] = list(tape.twenty.app.extensions["twenty"].workspaces)[1]
    made = tape.turn("keys", do="new", role="admin", name="Beta key", workspace=1)
    tape.keys["another workspace"] = made["key"]
    confidential = tape.sent(78)
    told = tape.turn("users", do="session", email="admin@globex.test", workspace=1)
    sent = tape.sent(37)
    sent["variables"]["c"] = tape.ids[confidential["client_id"]]
    tape.twenty.send("POST", "/metadata", sent, told["session"])


def front_elsewhere(tape: Tape) -> None:
    tape.turn("server", front_url="http://app.localhost:3000", multi_workspace=True)


Step = Number | Callable[[Tape], None]
TAPE: tuple[Step, ...] = (
    alone, 1, 2, 3, 4, 5, 6, 15, revoked, 16, again_at_browser, 17, by_key, 20, 21, 22, 23, with_tokens,
    30, 31, 32, 33, 34, 35, 36, 907, *range(37, 49), token(48, ACCESS), 49, 51, 52, 53, 54, 55, 56, 57,
    58, 59, 60, 61, 62, 63, 64, 65, 66, 69, 70, 71, 72, 73, 74, 75, 76, 77, consent_to_confidential, 78,
    79, 80, 81, token(81, "client_credentials token"), 82, 83, 84, a_member, 85, 86, 87, 88, 89, 90,
    with_our_fields, 91, expired, 92, 93, 94, 95, 96, 97, tokens_again, a_limited_role, *range(870, 882),
    a_member_to_go, 882, 883, 884, 885, 886, database_down, *range(890, 896), database_up, 896, 899,
    second_workspace, 900, 901, 903, front_elsewhere, 904,
)  # fmt: skip
NUMBERS = [step for step in TAPE if isinstance(step, int | str)]
#: Answers that depend on what else was in the recorded workspace: their form is compared.
FORMS: dict[Number, str] = {
    **dict.fromkeys((16, 62, 63, 74, 872, 879, 882, 896, 899), "other people were there"),
    64: "which object comes first depends on their ids",
    66: "other objects were there",
    901: "the workspace has another name",
}


@pytest.fixture(scope="module")
def tape() -> Tape:
    played = Tape(Twenty(workspaces=2))
    played.ids[FIRST] = str(played.twenty.meta("{currentWorkspace{id}}")["data"]["currentWorkspace"]["id"])
    for step in TAPE:
        if callable(step):
            step(played)
        else:
            played.play(step)
    return played


@pytest.mark.parametrize("number", NUMBERS, ids=[FILES[number].stem for number in NUMBERS])
def test_the_sandbox_answers_as_the_recorded_server_did(tape: Tape, number: Number) -> None:
    check(tape, number, form_only=number in FORMS)
