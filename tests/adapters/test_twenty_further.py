"""Further e-mails: found by ``like`` or among all that there are, and compared exactly either way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twenty_builders import MAPPINGS, PERSON, Sandbox, a_sandbox

from connector.core.records import Ref
from connector.crms.twenty import further, look
from connector.crms.twenty.writer import TwentyWriter
from connector.ports import Seek


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with a_sandbox() as sandbox:
        sandbox.schema.apply(MAPPINGS)
        yield sandbox


@pytest.fixture(params=["asked for one by one", "all at once", "read once"])
def twenty(request: pytest.FixtureRequest, served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    if request.param != "asked for one by one":
        monkeypatch.setattr(further, "FEW", 0)
    if request.param == "read once":
        monkeypatch.setattr(look, "SPARE", 0)  # they are more than an answer holds
    served.writer = TwentyWriter(served.client)
    served.fresh()
    return served


def a_person(twenty: Sandbox, first: str, *more: str) -> str:
    emails = {"primaryEmail": first, "additionalEmails": list(more)}
    return str(twenty.rest("POST", "people", {"emails": emails})["data"]["createPerson"]["id"])


def hits(twenty: Sandbox, address: str, *, also: bool = True) -> list[str]:
    seek = Seek(Ref("whop", "member", "m"), "", (("emails", address),), further=also)
    found = twenty.writer.look(PERSON, [seek])[seek.ref]
    return [row.id for _, rows in found.by_key for row in rows]


def test_a_further_address_is_found(twenty: Sandbox) -> None:
    mark = len(twenty.stored())
    id_ = a_person(twenty, f"first-{mark}@x.test", f"Second-{mark}@Y.test")

    assert hits(twenty, f"second-{mark}@y.test") == [id_]


def test_a_first_address_is_found_once_where_it_is_a_further_one_too(twenty: Sandbox) -> None:
    mark = len(twenty.stored())
    id_ = a_person(twenty, f"one-{mark}@x.test", f"one-{mark}@x.test", f"two-{mark}@x.test")

    assert hits(twenty, f"one-{mark}@x.test") == [id_]


@pytest.mark.parametrize("address", ["a_b@x.test", 'say"hi"@x.test', "back\\slash@x.test", "50%@x.test"])
def test_signs_that_mean_something_to_like_are_only_signs(twenty: Sandbox, address: str) -> None:
    mark = len(twenty.stored())
    mine = a_person(twenty, f"mine-{mark}@x.test", address)
    a_person(twenty, f"near-{mark}@x.test", "aXb@x.test", "50-percent@x.test")

    found = hits(twenty, address)

    assert mine in found
    assert {twenty.stored()[id_]["emails"]["primaryEmail"].split("-")[0] for id_ in found} == {"mine"}


def test_a_deleted_person_is_found_too(twenty: Sandbox) -> None:
    mark = len(twenty.stored())
    id_ = a_person(twenty, f"bin-{mark}@x.test", f"binned-{mark}@x.test")
    twenty.trash("people", id_)

    assert hits(twenty, f"binned-{mark}@x.test") == [id_]


def test_only_who_asks_for_further_ones_gets_them(twenty: Sandbox) -> None:
    mark = len(twenty.stored())
    a_person(twenty, f"plain-{mark}@x.test", f"more-{mark}@x.test")

    assert hits(twenty, f"more-{mark}@x.test", also=False) == []


def test_all_come_with_the_look_up_itself(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(further, "FEW", 0)
    served.writer = TwentyWriter(served.client)
    mark = len(served.stored())
    id_ = a_person(served, f"with-{mark}@x.test", f"it-{mark}@x.test")
    served.fresh()

    assert hits(served, f"it-{mark}@x.test") == [id_]
    assert served.requests()["people"] == 1


def test_more_than_an_answer_holds_are_read_once(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(further, "FEW", 0)
    monkeypatch.setattr(look, "SPARE", 0)
    monkeypatch.setattr(further, "_PAGE", 2)  # more pages than one
    served.writer = TwentyWriter(served.client)
    mark = len(served.stored())
    ids = [a_person(served, f"p{number}-{mark}@x.test", f"q{number}-{mark}@x.test") for number in range(8)]
    served.fresh()

    found = [hits(served, f"q{number}-{mark}@x.test") for number in range(8)]

    assert found == [[id_] for id_ in ids]
    having = sum(1 for row in served.stored().values() if row["emails"]["additionalEmails"])
    assert served.requests()["people"] == 1 + -(-having // 2) + 8
