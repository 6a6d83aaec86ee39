"""What the recordings take for granted: rows, fields and tokens that were there before."""

from __future__ import annotations

from typing import Any

from tape import Number, Tape

#: The recorded deliveries of webhooks.
DELIVERIES = range(670, 681)
NAMED = ("targetUrl", "eventName")
ADA = "379e0bf2-b3c5-4c86-9dbb-915faefb5c06"


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


def restored_ada(tape: Tape) -> None:
    """Between 203 and 270 others wrote to Ada; nothing of it is replayed."""
    tape.twenty.rest("PATCH", f"/rest/people/{tape.ids[ADA]}", {"jobTitle": "put"})


def held_live(tape: Tape) -> None:
    tape.twenty.person(whopUserId="live_1")


def batch_rows(tape: Tape) -> None:
    """Two of the five people of 958, whose request is shortened."""
    for at in (1, 3):
        tape.twenty.person(**tape.sent(959)[at])


def own_rows(tape: Tape) -> None:
    """Row 4 of 956 was soft-deleted before 960."""
    tape.twenty.rest("DELETE", "/rest/people/46600cc2-4a9a-5dd3-8017-557dd950face?soft_delete=true")


def upsert_rows(tape: Tape) -> None:
    """The people u0, u1, u2 of 972: the first soft-deleted, the second destroyed."""
    ids = [row["id"] for row in tape.sent(972)["variables"]["data"]]
    for at, row_id in enumerate(ids):
        tape.twenty.person(id=row_id, **_own(f"u{at}"))
    tape.twenty.rest("DELETE", f"/rest/people/{ids[0]}?soft_delete=true")
    tape.twenty.rest("DELETE", f"/rest/people/{ids[1]}")


def _own(name: str) -> dict[str, Any]:
    mail = {"primaryEmail": f"w15.p{name}@own.test"}
    return {"name": {"firstName": "W15", "lastName": name}, "emails": mail, "whopUserId": f"user_w15_{name}"}


def guarded_rows(tape: Tape) -> None:
    deleted, destroyed, living = tape.sent(973)["variables"]["f"]["id"]["in"]
    for row_id in (deleted, living):
        tape.twenty.person(id=row_id)
    tape.twenty.rest("DELETE", f"/rest/people/{deleted}?soft_delete=true")
    assert tape.twenty.by_id(destroyed) is None


def half_rows(tape: Tape) -> None:
    rows = tape.sent(979)["variables"]["data"]
    for at, row in enumerate(rows):
        tape.twenty.person(id=row["id"], jobTitle=f"after {10 + at}", **_own(f"u{10 + at}"))
    for number in (984, 985, 991):
        tape.twenty.person(id=tape.sent(number)["variables"]["data"][0]["id"])


def additional_rows(tape: Tape) -> None:
    for at, edge in enumerate(tape.recording(989)["response"]["body"]["data"]["people"]["edges"]):
        node = edge["node"]
        tape.twenty.person(id=node["id"], emails=node["emails"], whopUserId=f"add_{at}")
        tape.twenty.gql(
            "mutation($i:UUID!,$d:X!){updatePerson(id:$i,data:$d){id}}",
            i=node["id"],
            d={"whopUserId": node["whopUserId"]},
        )


def partial_rows(tape: Tape) -> None:
    sources = (
        (tape.sent(995)["variables"]["data"][0]["id"], "comp1"),
        (tape.sent(996)["variables"]["i"], "comp2"),
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


def contact_rows(tape: Tape) -> None:
    """One contact soft-deleted (998), one never there (999), one destroyed after its use (1000)."""
    contact = tape.sent(998)["variables"]["data"]["pointOfContactId"]
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


def dup_candidate(tape: Tape) -> None:
    """A field that holds one value twice (160)."""
    more = {"type": "TEXT", "name": "dupCandidate", "label": "Dup candidate"}
    tape.ids["25eee7ea-25b9-431f-93d5-8e7e56eae59f"] = tape.twenty.field("whopProduct", **more)["id"]
    for name in ("d1", "d2"):
        tape.twenty.rest("POST", "/rest/whopProducts", {"name": name, "dupCandidate": "same"})


def known_update(tape: Tape) -> None:
    """The filter of 976 carries the updatedAt that was answered before; that of 977 the same once more."""
    path = f"/rest/people/{tape.sent(976)['variables']['f']['and'][0]['id']['eq']}"
    known = tape.twenty.rest("GET", path)["data"]["person"]["updatedAt"]
    for number in (976, 977):
        tape.bodies[number] = _with_times(number, {"updatedAt": known})


def ghost(tape: Tape) -> None:
    """Row 2 of 972, with the times that its answer told."""
    row_id = tape.sent(981)["variables"]["f"]["and"][0]["id"]["in"][0]
    row = tape.twenty.by_id(row_id)
    tape.bodies[981] = _with_times(981, {name: row[name] for name in ("createdAt", "updatedAt")})


def _with_times(number: Number, times: dict[str, str]) -> Any:
    def body(tape: Tape) -> Any:
        sent = tape.sent(number)
        for condition in sent["variables"]["f"]["and"]:
            for name, value in times.items():
                if name in condition:
                    condition[name]["eq"] = value
        return sent

    return body


def more_with_additional(tape: Tape) -> None:
    """990 found 102 people with additional addresses."""
    have = tape.twenty.gql('{people(first:1,filter:{emails:{additionalEmails:{is:"NOT_NULL"}}}){totalCount}}')
    missing = 102 - have["data"]["people"]["totalCount"]
    tape.twenty.people([
        {"emails": {"primaryEmail": f"m{at}@own.test", "additionalEmails": [f"m{at}.b@own.test"]}}
        for at in range(missing)
    ])  # fmt: skip


def changes(tape: Tape) -> None:
    """The cursor of 994 is the one that 993 answered."""
    tape.bodies[994] = lambda played: _after(played, played.answers[993][1]["data"]["people"]["pageInfo"])


def _after(tape: Tape, info: Any) -> Any:
    sent = tape.sent(994)
    sent["variables"]["a"] = info["endCursor"]
    return sent


def merged_people(tape: Tape) -> None:
    """The pairs of 1001 to 1011, and the opportunity of a loser."""
    one, two = tape.sent(1001)["ids"]
    full = {
        "jobTitle": "one",
        "linkedinLink": {"primaryLinkUrl": "https://l.test/1"},
        "phones": {"primaryPhoneNumber": "+14155552671"},
    }
    _merger(tape, one, "m1", "user_w15_qm1", **full)
    _merger(tape, two, "m2", "user_w15_qm2", jobTitle="two")
    deal = {"id": "34143364-1a4a-53f9-9dd3-bb2b085f1504", "name": "of 2", "pointOfContactId": two}
    tape.twenty.rest("POST", "/rest/opportunities", deal)
    three, four = tape.sent(1005)["variables"]["ids"]
    _merger(tape, three, "m3", "user_w15_qm3")
    _merger(tape, four, "m4", "user_w15_qm4")
    five, six = tape.sent(1006)["variables"]["ids"]
    _merger(tape, five, "m5", None)
    _merger(tape, six, "m6", "user_w15_qm6", jobTitle="six")
    seven, eight = tape.sent(1011)["ids"]
    _merger(tape, seven, "s1", None)
    _merger(tape, eight, "s2", "user_w15_qs2", jobTitle="loser")


def _merger(tape: Tape, row_id: str, name: str, key: str | None, **more: Any) -> None:
    mail = {"primaryEmail": f"w15.q{name}@own.test"}
    names = {"firstName": "Q", "lastName": name}
    tape.twenty.person(id=row_id, name=names, emails=mail, whopUserId=key, **more)


def one_in_the_bin(tape: Tape) -> None:
    """The pair of 1031, whose second was soft-deleted; it is the contact of an opportunity (1033)."""
    living, deleted = tape.sent(1031)["variables"]["ids"]
    tape.twenty.people([{"id": living}, {"id": deleted}])
    deal = {"id": tape.sent(1033)["variables"]["f"]["id"]["eq"], "pointOfContactId": deleted}
    tape.twenty.rest("POST", "/rest/opportunities", deal)
    tape.twenty.rest("DELETE", f"/rest/people/{deleted}?soft_delete=true")


def out_of_the_bin(tape: Tape) -> None:
    deleted = tape.sent(1031)["variables"]["ids"][1]
    tape.twenty.rest("PATCH", f"/rest/restore/people?filter=id[eq]:{deleted}")


def viewed_fields(tape: Tape) -> None:
    """The columns and the filtered field of 1012 to 1021."""
    options = [
        {"label": label, "value": value, "color": "green", "position": at}
        for at, (label, value) in enumerate((("Active", "ACTIVE"), ("Payment failed", "PAYMENT_FAILED")))
    ]
    status = {"type": "SELECT", "name": "whopMembershipStatus", "label": "Status", "options": options}
    found = {"whopMembershipStatus": tape.twenty.field("opportunity", **status)["id"]}
    path = f"/rest/metadata/objects/{tape.twenty.object_id('opportunity')}"
    found |= {field["name"]: field["id"] for field in tape.twenty.rest("GET", path)["fields"]}
    tape.ids["fa2265ca-7644-42e5-86b3-fa37ecb05d81"] = found["whopMembershipStatus"]
    tape.ids["06e4e0fa-a65a-41a2-926a-1b7bd1458de3"] = found["name"]
    tape.ids["03260bc4-975d-4d0d-b8a4-c25d33cf751f"] = found["amount"]


def more_columns(tape: Tape) -> None:
    """1014 is one of four calls."""
    columns = tape.recording(1015)["response"]["body"]["viewFields"]
    view = tape.answers[1012][1]["id"]
    for column in columns:
        if column["fieldMetadataId"] not in tape.ids:
            made = tape.twenty.field("opportunity", type="TEXT", name="column", label="Column")
            tape.ids[column["fieldMetadataId"]] = made["id"]
        if column["id"] not in tape.ids:
            wanted = {name: column[name] for name in ("isVisible", "size", "position")}
            body = {"viewId": view, "fieldMetadataId": tape.ids[column["fieldMetadataId"]], **wanted}
            made = tape.twenty.rest("POST", "/rest/metadata/viewFields", body)
            for name in ("id", "universalIdentifier", "fieldMetadataUniversalIdentifier"):
                tape.ids[column[name]] = made[name]


def held_webhooks(tape: Tape) -> None:
    """What the webhooks of 650 to 653 would send is kept; 663 updates two people."""
    tape.turn("webhooks", held=True)
    rows = [{"whopUserId": "user_30", "jobTitle": "b1"}, {"whopUserId": "user_31", "jobTitle": "b2"}]
    tape.bodies[663] = lambda _tape: rows


def delivered(tape: Tape) -> None:
    """The letters that wait, each beside the recorded one of the same address, event and place."""
    letters = tape.turn("webhooks", do="flush")["waiting"]
    for number in DELIVERIES:
        theirs = tape.sent(number)
        same = [each for each in letters if all(each[name] == theirs[name] for name in NAMED)]
        letters.remove(same[0])
        tape.answers[number] = (200, same[0])


def long_text(tape: Tape) -> None:
    """252 tells how long the text was."""
    sent = tape.sent(252)
    tape.bodies[252] = lambda _tape: {**sent, "jobTitle": "x" * 100_000}


def five_rows(tape: Tape) -> None:
    """The batch of 958: five people with ids of their own, of which 959 knows two."""
    known = {row["whopUserId"]: row for row in tape.sent(959)}
    rows = [known.get(f"user_w15_{at}") or {"id": _id(at), **_own(str(at))} for at in range(11, 16)]
    tape.bodies[958] = lambda _tape: rows


def _id(at: int) -> str:
    return f"7f969d1e-278f-5dd3-b3a2-7602900000{at}"


def two_hundred_rows(tape: Tape) -> None:
    """971 updates 200 people by id."""
    rows = [{"id": f"{at:08d}-278f-5dd3-b3a2-76029b3e9112", **_own(f"v{at}")} for at in range(200)]
    tape.twenty.people(rows)
    sent = tape.sent(971)
    data = [{"id": row["id"], "jobTitle": f"after {at}"} for at, row in enumerate(rows)]
    tape.bodies[971] = lambda _tape: {**sent, "variables": {**sent["variables"], "data": data}}


def at_browser(tape: Tape) -> None:
    """The admin's session, which 182 uses."""
    told = tape.turn("users", do="session", email="admin@acme.test")
    tape.keys["<user access token>"] = told["session"]


def signed_in(tape: Tape) -> None:
    """An application that acts for the admin (752)."""
    tape.keys["OAuth access token of an admin"] = tape.keys["<user access token>"]
