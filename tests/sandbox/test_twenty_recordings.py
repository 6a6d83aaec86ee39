"""The recordings of the real server, played against the sandbox in the order in which they were made.

One tape for the whole file: what a recording needs is what earlier ones left, or a named preparation.
Ids are carried over from the recorded answers to ours; times, positions and search vectors are not compared.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twenty_helpers import Twenty

FOLDER = Path(__file__).parents[1] / "recordings" / "twenty"
FILES = {int(path.name.split("-")[0]): path for path in sorted(FOLDER.glob("*.json"))}
MORE = re.compile(r"… (\d+) more of the same shape, left out of this recording")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
#: Made up by each server for itself.
VOLATILE = {
    "createdAt", "updatedAt", "deletedAt", "position", "searchVector", "universalIdentifier", "applicationId",
    "blocknote", "startCursor", "endCursor", "cursor", "workspaceId", "databaseSchema", "metadataVersion",
    "description", "icon", "flatEntityMinimalInformation",
}  # fmt: skip
#: Answers whose order counts; elsewhere rows are compared as a set, for ids give the order.
ORDERED = {322, 323, 406, 971, 972}
PERSON, OPPORTUNITY = "05172317-2ab9-43ae-a50a-cbafb5d1af70", "262c0e87-20a4-4b35-bd66-2f5d40ad8031"
JOB_TITLE = "16229ce1-a341-43d7-a038-9eda1e6778cd"
ADMIN = "77d2065e-b195-4768-8439-6d7b22ffef21"


def people(letter: str, first: int, count: int) -> list[Any]:
    """The records that the recordings shorten: P7 Batch, p7@batch.test, user_7."""
    last, host, key = ("Batch", "batch.test", "user") if letter == "P" else ("Gql", "gql.test", "guser")
    return [
        {
            "name": {"firstName": f"{letter}{at}", "lastName": last},
            "emails": {"primaryEmail": f"{letter.lower()}{at}@{host}"},
            "whopUserId": f"{key}_{at}",
        }
        for at in range(first, first + count)
    ]


def values(count: int) -> list[str]:
    return [f"guser_{at}" for at in range(count)]


#: What stood in the place of "… more of the same shape".
SHORTENED: dict[int, Any] = {
    300: people("P", 0, 60),
    301: people("P", 60, 61),
    302: people("P", 1000, 200),
    303: people("P", 2000, 201),
    329: people("P", 2000, 201),
    401: people("G", 100, 200),
    402: people("G", 300, 201),
    418: values(200),
    419: values(1000),
    420: values(5000),
    421: values(20000),
}


def restored_ada(tape: "Tape") -> None:
    """Between 203 and 270 others wrote to Ada; nothing of it is replayed."""
    tape.twenty.rest("PATCH", f"/rest/people/{tape.ids[ADA]}", {"jobTitle": "put"})


def held_live(tape: "Tape") -> None:
    tape.twenty.person(whopUserId="live_1")


def batch_rows(tape: "Tape") -> None:
    """Two of the five people of 958, whose request is shortened."""
    for at in (1, 3):
        tape.twenty.person(**tape.recording(959)["request"]["body"][at])


def own_rows(tape: "Tape") -> None:
    """Row 4 of 956 was soft-deleted before 960."""
    tape.twenty.rest("DELETE", "/rest/people/46600cc2-4a9a-5dd3-8017-557dd950face?soft_delete=true")


def upsert_rows(tape: "Tape") -> None:
    """The people u0, u1, u2 of 972: the first soft-deleted, the second destroyed."""
    ids = [row["id"] for row in tape.recording(972)["request"]["body"]["variables"]["data"]]
    for at, row_id in enumerate(ids):
        tape.twenty.person(id=row_id, **_own(f"u{at}"))
    tape.twenty.rest("DELETE", f"/rest/people/{ids[0]}?soft_delete=true")
    tape.twenty.rest("DELETE", f"/rest/people/{ids[1]}")


def _own(name: str) -> dict[str, Any]:
    mail = {"primaryEmail": f"w15.p{name}@own.test"}
    return {"name": {"firstName": "W15", "lastName": name}, "emails": mail, "whopUserId": f"user_w15_{name}"}


def guarded_rows(tape: "Tape") -> None:
    deleted, destroyed, living = tape.recording(973)["request"]["body"]["variables"]["f"]["id"]["in"]
    for row_id in (deleted, living):
        tape.twenty.person(id=row_id)
    tape.twenty.rest("DELETE", f"/rest/people/{deleted}?soft_delete=true")
    assert tape.twenty.by_id(destroyed) is None


def half_rows(tape: "Tape") -> None:
    rows = tape.recording(979)["request"]["body"]["variables"]["data"]
    for at, row in enumerate(rows):
        tape.twenty.person(id=row["id"], jobTitle=f"after {10 + at}", **_own(f"u{10 + at}"))
    for number in (984, 985, 991):
        tape.twenty.person(id=tape.recording(number)["request"]["body"]["variables"]["data"][0]["id"])


def additional_rows(tape: "Tape") -> None:
    for at, edge in enumerate(tape.recording(989)["response"]["body"]["data"]["people"]["edges"]):
        node = edge["node"]
        tape.twenty.person(id=node["id"], emails=node["emails"], whopUserId=f"add_{at}")
        tape.twenty.gql(
            "mutation($i:UUID!,$d:X!){updatePerson(id:$i,data:$d){id}}",
            i=node["id"],
            d={"whopUserId": node["whopUserId"]},
        )


def partial_rows(tape: "Tape") -> None:
    sources = (
        (tape.recording(995)["request"]["body"]["variables"]["data"][0]["id"], "comp1"),
        (tape.recording(996)["request"]["body"]["variables"]["i"], "comp2"),
        ("578451fd-000a-5f0f-9e11-08d9f3b2efae", "comp3"),
    )
    for row_id, name in sources:
        tape.twenty.person(
            id=row_id,
            name={} if name == "comp3" else {"firstName": "Comp", "lastName": "Osite"},
            emails={"primaryEmail": f"{name}@own.test", "additionalEmails": [f"{name}.b@own.test"]},
            phones={
                "primaryPhoneNumber": "+14155552671",
                "additionalPhones": [
                    {"number": "4155552672", "countryCode": "US", "callingCode": "+1"},
                ],
            },
            linkedinLink={
                "primaryLinkUrl": "https://linkedin.com/in/x",
                "primaryLinkLabel": "L",
                "secondaryLinks": [{"label": "S", "url": "https://x.test"}] if name == "comp3" else [],
            },
        )


def contact_rows(tape: "Tape") -> None:
    """One contact soft-deleted (998), one never there (999), one destroyed after its use (1000)."""
    contact = tape.recording(998)["request"]["body"]["variables"]["data"]["pointOfContactId"]
    tape.twenty.person(id=contact)
    tape.twenty.rest("DELETE", f"/rest/people/{contact}?soft_delete=true")
    gone = tape.twenty.person()["id"]
    cleared = {
        "id": "b60bebc3-eda0-5d35-98dc-26ce045ef4f9",
        "name": "to be cleared",
        "pointOfContactId": gone,
    }
    tape.twenty.rest("POST", "/rest/opportunities", cleared)
    tape.twenty.rest("DELETE", f"/rest/people/{gone}")
    tape.twenty.person(whopUserId="user_w15_z2")
    tape.twenty.rest("DELETE", "/rest/people?soft_delete=true&filter=whopUserId[eq]:user_w15_z2")


ADA = "379e0bf2-b3c5-4c86-9dbb-915faefb5c06"
Step = int | Callable[["Tape"], None]
TAPE: tuple[Step, ...] = (
    7, 8, 9, 10, 11, 12, 13, 14, 18, 19, 24, 25, 27, 28, 29, 67, 68, 98, 99, 103, 105, 113,
    *range(114, 137), *range(106, 113), *range(137, 144), 145, *range(150, 154), *range(155, 160), 168,
    169, 170, 171, 172, 174, 177, 179, 447, *range(200, 217), 217, *range(218, 221), 221,
    *range(222, 229), 230, *range(231, 250), 251, 253, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309,
    310, *range(311, 333), *range(340, 351), *range(352, 362), 362, 363, 364, restored_ada, 264, 268, 270,
    271, 272, 275, 276, 277, 278, 281, 282, 284, 286, 288, *range(400, 404), *range(404, 422), 425, 426,
    430, 431, 432, 433, 434, 436, 437, 438, 439, 440, 441, 442, 443, 445, 446, 500, 501, 502, 503, 504,
    505, 508, 509, 511, 513, 516, 518, 519, 175, 176, 178, 800, 801, 802, 803, 804, 805, 806, 807, 808,
    809, 810, 811, 812, 813, 814, 815, 816, 817, 818, 819, 820, 821, *range(830, 833), 833, 834, 835, 836,
    837, 840, 841, 842, 843, 844, 845, 846, 847, 848, 850, 851, 852, held_live, 853, 854, 859, 860, 861,
    862, 863, 864, 950, 951, 952, 953, 954, 955, 956, 957, batch_rows, 959, own_rows, 960, 961, 962, 963,
    964, 965, 966, 967, 968, 969, 970, upsert_rows, 972, guarded_rows, 973, 974, 975, 978, half_rows, 979,
    980, 982, 983, 984, 985, 987, 988, additional_rows, 989, 991, 1034, partial_rows, 995, 996, 1027,
    contact_rows, 998, 999, 1000, 1028, 1009, 1010, 1029, 1032,
)  # fmt: skip
NUMBERS = [step for step in dict.fromkeys(TAPE) if isinstance(step, int)]
#: Refusals that drag dozens of follow-up errors along: which of their parts are compared.
CAUSES = {
    **dict.fromkeys((106, 107, 108, 109, 110, 111, 151), "objectMetadata"),
    **dict.fromkeys((129, 153), "fieldMetadata"),
}


class Tape:
    """Plays recordings one after another; `ids` carries recorded ids over to ours."""

    def __init__(self) -> None:
        self.twenty = Twenty(workspaces=2)
        self.ids: dict[str, str] = {PERSON: self.twenty.object_id("person")}
        self.ids[JOB_TITLE] = self._field_id("jobTitle")
        self.ids[OPPORTUNITY] = self.twenty.object_id("opportunity")
        self.ids[ADMIN] = self.twenty.stored("workspaceMembers")[0]["id"]
        self.ids["77bce9d1-3e3c-4dff-822c-855d63602254"] = self._workspace_id()
        self.answers: dict[int, tuple[int, Any]] = {}
        self.before: dict[int, dict[str, str]] = {}
        self.keys = self._keys()

    def _field_id(self, name: str) -> str:
        fields = self.twenty.rest("GET", f"/rest/metadata/objects/{self.ids[PERSON]}")["fields"]
        return next(field["id"] for field in fields if field["name"] == name)

    def _workspace_id(self) -> str:
        return self.twenty.meta("{currentWorkspace{id}}")["data"]["currentWorkspace"]["id"]

    def _keys(self) -> dict[str, str]:
        """The tokens that the recordings tell of, by what they are called there."""
        made = {}
        for name, role, act in (
            ("read-only", "read_only", "renew"),
            ("revoked", "admin", "revoke"),
            ("past its expiresAt", "admin", "expire"),
            ("JWT expired", "admin", "expire_token"),
        ):
            key = self._turn(do="new", role=role, name="Whop sync")["key"]
            made[name] = self._turn(do=act, key=key)["key"]
        broken = self.twenty.key[:-6] + ("AAAAAA" if not self.twenty.key.endswith("AAAAAA") else "BBBBBB")
        other = Twenty(self.twenty.app, 1).key
        return {**made, "broken signature": broken, "not-a-jwt": "not-a-jwt", "another workspace": other}

    def _turn(self, **given: Any) -> Any:
        return self.twenty.client.post("/sandbox/keys", json=given).get_json()

    def recording(self, number: int) -> Any:
        return json.loads(FILES[number].read_text())

    def play(self, number: int) -> None:
        recording = self.recording(number)
        request = recording["request"]
        headers = dict(request.get("headers") or {})
        if "Authorization" in headers or "Bearer" in recording["note"]:
            headers["Authorization"] = f"Bearer {self._token(headers.get('Authorization', ''), recording)}"
        raw = self._body(number, request.get("body"))
        answer = self.twenty.client.open(
            self._ours(request["path"]), method=request["method"], data=raw, headers=headers
        )
        body = answer.get_json() if answer.mimetype == "application/json" else answer.get_data(as_text=True)
        self.answers[number] = (answer.status_code, body)
        self._learn(recording["response"]["body"], body)

    def _token(self, header: str, recording: Any) -> str:
        told = f"{header} {recording['note']}"
        return next((key for name, key in self.keys.items() if name in told), self.twenty.key)

    def _ours(self, text: str) -> str:
        return UUID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def _body(self, number: int, body: Any) -> str | None:
        if number == 859:
            return " " * (11 * 1024 * 1024)
        if number in SHORTENED:
            body = _filled(body, SHORTENED[number])
        if body is None or isinstance(body, str):
            return body
        assert not MORE.search(json.dumps(body, ensure_ascii=False)), "a shortened request cannot be played"
        return self._ours(json.dumps(body))

    def _learn(self, theirs: Any, ours: Any) -> None:
        """Pair the ids that stand at the same place of both answers."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name in theirs.keys() & ours.keys():
                self._learn(theirs[name], ours[name])
        elif isinstance(theirs, list) and isinstance(ours, list):
            pairs = zip(_sorted(theirs), _sorted(ours), strict=False)
            for their, our in pairs:
                self._learn(their, our)
        elif isinstance(theirs, str) and isinstance(ours, str) and UUID.fullmatch(theirs):
            self.ids.setdefault(theirs, ours)


def _filled(body: Any, rows: list[Any]) -> Any:
    """The body with the whole list where the recording shortened it."""
    if isinstance(body, list) and any(isinstance(each, str) and MORE.search(each) for each in body):
        return rows
    if isinstance(body, dict):
        return {name: _filled(each, rows) for name, each in body.items()}
    return body


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: json.dumps(_plain(row, {}), sort_keys=True))


def _plain(value: Any, ids: dict[str, str], name: str = "", *, ordered: bool = True) -> Any:
    """A value without what each server makes up; recorded ids read as ours."""
    if name in VOLATILE and not (name == "deletedAt" and value is None):
        return f"<{name}>"
    if isinstance(value, dict):
        return {key: _plain(each, ids, key, ordered=ordered) for key, each in value.items()}
    if isinstance(value, list):
        rows = [_plain(each, ids, ordered=ordered) for each in value]
        return rows if ordered else sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
    if isinstance(value, str):
        return TIME.sub("<time>", UUID.sub(lambda found: ids.get(found[0], "<id>"), value))
    return value


def _cut(value: Any, theirs: Any) -> Any:
    """What can be compared: of a list that the recording shortened, how long it was."""
    if isinstance(theirs, dict) and isinstance(value, dict):
        return {name: _cut(each, theirs.get(name)) for name, each in value.items()}
    if isinstance(theirs, list) and isinstance(value, list):
        if not any(_more(each) for each in theirs):
            return value
        return sum(_more(each) or 1 for each in value)
    return value


def _more(row: Any) -> int:
    found = MORE.search(row) if isinstance(row, str) else None
    return int(found[1]) if found else 0


def comparable(tape: Tape, number: int, body: Any, ids: dict[str, str]) -> Any:
    """A body as it is compared; `ids` turns recorded ids into ours."""
    known = ids or {each: each for each in tape.ids.values()}
    plain = _plain(body, known, ordered=number in ORDERED)
    if number in CAUSES:
        return _cause(plain, CAUSES[number])
    return _cut(plain, tape.recording(number)["response"]["body"])


def _cause(body: Any, part: str) -> Any:
    """The errors of the object or field itself, and how many there were of each kind."""
    tree = body["errors"][0]["extensions"] if isinstance(body["errors"], list) else body
    return {"cause": tree["errors"][part], "rest": {**tree, "errors": None}, "data": body.get("data")}


@pytest.fixture(scope="module")
def tape() -> Tape:
    played = Tape()
    for step in TAPE:
        if callable(step):
            step(played)
        else:
            played.play(step)
    return played


@pytest.mark.parametrize("number", NUMBERS, ids=[FILES[number].stem for number in NUMBERS if number in FILES])
def test_the_sandbox_answers_as_the_recorded_server_did(tape: Tape, number: int) -> None:
    theirs, (status, body) = tape.recording(number)["response"], tape.answers[number]

    assert status == theirs["status"]
    assert comparable(tape, number, body, {}) == comparable(tape, number, theirs["body"], tape.ids)
