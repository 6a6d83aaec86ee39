"""Links: what is remembered of a pair, and claims, of which each record has one at a time."""

from __future__ import annotations

from typing import Any

import pytest

from connector.core.plan import Link, LinkState
from connector.core.records import Ref
from connector.errors import TryLaterError
from connector.store import links
from connector.store.db import Database

from .builders import MINUTE, NOW, SECOND, Home, a_home, a_kept_row, claim, find, refs
from .racing import race

MANY = tuple(f"mber_{number:04}" for number in range(1_201))


def keep(database: Database, home: Home, owner: str, rows: list[dict[str, Any]]) -> None:
    with database.transaction() as session:
        links.keep(session, home.claims, owner, rows)


def a_link(database: Database, home: Home, ref: Ref, **changed: Any) -> Link:
    """A link that was written well and released."""
    link = claim(database, home, [ref])[ref]
    keep(database, home, "run-1", [a_kept_row(link, **changed)])
    return find(database, home, [ref])[ref]


# --- find


def test_a_record_without_a_link_is_absent(database: Database) -> None:
    home = a_home(database)

    assert find(database, home, refs("mber_1")) == {}


def test_asking_for_nothing_finds_nothing(database: Database) -> None:
    home = a_home(database)

    assert find(database, home, []) == {}


def test_a_link_is_of_its_own_kind_and_object_alone(database: Database) -> None:
    home = a_home(database)
    a_link(database, home, Ref("whop", "member", "x_1"))

    with database.reading() as session:
        other_kind = links.find(session, home.workspace_id, "person", [Ref("whop", "product", "x_1")])
        other_source = links.find(session, home.workspace_id, "person", [Ref("shop", "member", "x_1")])
        other_object = links.find(session, home.workspace_id, "company", [Ref("whop", "member", "x_1")])

    assert (other_kind, other_source, other_object) == ({}, {}, {})


def test_more_links_than_fit_one_query_are_all_found(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs(*MANY))

    assert list(map(str, sorted(find(database, home, refs(*MANY))))) == [f"member {id_}" for id_ in MANY]


# --- claim


def test_a_first_claim_makes_a_link_without_a_counterpart(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")

    link = claim(database, home, [ref])[ref]

    assert (link.ref, link.object, link.crm_id, link.generation) == (ref, "person", None, 0)
    assert link.state is LinkState.LINKED
    assert link.id is not None


def test_claiming_nothing_claims_nothing(database: Database) -> None:
    home = a_home(database)

    assert claim(database, home, []) == {}


def test_a_record_named_twice_is_claimed_once(database: Database) -> None:
    home = a_home(database)

    claimed = claim(database, home, refs(*MANY, *MANY))

    assert len(claimed) == len(MANY)


def test_a_claimed_record_is_refused_to_another_owner(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs("mber_1"), owner="run-1")

    with pytest.raises(TryLaterError) as caught:
        claim(database, home, refs("mber_1"), owner="run-2")

    assert caught.value.code == "claimed"


def test_a_claim_that_is_refused_takes_none_of_its_records(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs("mber_2"), owner="run-1")

    with pytest.raises(TryLaterError):
        claim(database, home, refs("mber_1", "mber_2", "mber_3"), owner="run-2")

    assert len(claim(database, home, refs("mber_1", "mber_3"), owner="run-3")) == 2


def test_an_owner_may_claim_again_what_it_has(database: Database) -> None:
    home = a_home(database)
    first = claim(database, home, refs("mber_1"), owner="run-1")

    again = claim(database, home, refs("mber_1"), owner="run-1")

    assert [link.id for link in again.values()] == [link.id for link in first.values()]


def test_an_expired_claim_is_taken_over(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs("mber_1"), owner="run-1", now=NOW)
    later = NOW + MINUTE + SECOND

    taken = claim(database, home, refs("mber_1"), owner="run-2", now=later)

    assert len(taken) == 1
    with pytest.raises(TryLaterError):
        claim(database, home, refs("mber_1"), owner="run-1", now=later)


def test_a_claim_is_good_until_its_very_end(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs("mber_1"), owner="run-1", now=NOW)

    with pytest.raises(TryLaterError):
        claim(database, home, refs("mber_1"), owner="run-2", now=NOW + MINUTE)


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_of_racing_owners_only_one_gets_the_claim(database: Database, known: bool) -> None:
    home = a_home(database)
    wanted = refs(*MANY[:20])
    if known:
        for ref in wanted:
            a_link(database, home, ref)
    owners = [f"run-{number}" for number in range(6)]

    answers = race(*(lambda owner=owner: claim(database, home, wanted, owner=owner) for owner in owners))

    assert _kinds(answers) == ["TryLaterError"] * 5 + ["dict"]


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_owners_that_claim_in_opposite_orders_do_not_block_each_other(
    database: Database, known: bool
) -> None:
    home = a_home(database)
    for attempt in range(8):
        ids = [f"mber_{attempt}_{number}" for number in range(300)]
        if known:
            links_ = claim(database, home, refs(*ids))
            keep(database, home, "run-1", [a_kept_row(link) for link in links_.values()])
        upwards, downwards = refs(*ids), refs(*reversed(ids))

        answers = race(
            lambda wanted=upwards: claim(database, home, wanted, owner="up"),
            lambda wanted=downwards: claim(database, home, wanted, owner="down"),
        )

        assert _kinds(answers) == ["TryLaterError", "dict"], answers


def _kinds(answers: list[Any]) -> list[str]:
    return sorted(type(answer).__name__ for answer in answers)


# --- resumed


def test_a_link_claimed_by_the_asking_owner_is_resumed(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    claim(database, home, [ref], owner="run-1")

    assert find(database, home, [ref], owner="run-1")[ref].resumed
    assert not find(database, home, [ref], owner="run-2")[ref].resumed
    assert not find(database, home, [ref])[ref].resumed


def test_a_link_that_was_kept_is_not_resumed(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    a_link(database, home, ref)

    assert not find(database, home, [ref], owner="run-1")[ref].resumed


# --- keep


def test_a_kept_link_comes_back_as_it_was_written(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")

    link = a_link(database, home, ref, state="review", memory={"name": [123, 3]})
    with database.reading() as session:
        remembered = links.memories(session, home.workspace_id, [link.id or 0])

    assert link.crm_id == "crm-mber_1"
    assert link.state is LinkState.REVIEW
    assert link.fingerprint == "f" * 32
    assert link.source_updated_at == "2026-03-01T10:00:00.000Z"
    assert list(remembered[link.id or 0]["name"]) == [123, 3]
    assert link.crm_created_at == "2026-03-02T09:00:00.000Z"


def test_keeping_releases_the_claim(database: Database) -> None:
    home = a_home(database)
    a_link(database, home, refs("mber_1")[0])

    assert len(claim(database, home, refs("mber_1"), owner="run-2")) == 1


def test_keeping_nothing_is_no_mistake(database: Database) -> None:
    keep(database, a_home(database), "run-1", [])


def test_a_claim_lost_before_keep_raises_and_saves_nothing(database: Database) -> None:
    home = a_home(database)
    mine = claim(database, home, refs("mber_1", "mber_2"), owner="run-1")
    claim(database, home, refs("mber_2"), owner="run-2", now=NOW + MINUTE + SECOND)

    with pytest.raises(TryLaterError) as caught:
        keep(database, home, "run-1", [a_kept_row(link) for link in mine.values()])

    assert caught.value.code == "claimed"
    found = find(database, home, refs("mber_1", "mber_2"))
    assert [link.crm_id for link in found.values()] == [None, None]


def test_a_claim_that_ended_but_that_nobody_took_is_still_kept(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    link = claim(database, home, [ref], now=NOW - MINUTE - MINUTE)[ref]

    keep(database, home, "run-1", [a_kept_row(link)])

    assert find(database, home, [ref])[ref].crm_id == "crm-mber_1"


def test_what_is_kept_twice_is_refused_the_second_time(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    link = claim(database, home, [ref])[ref]
    keep(database, home, "run-1", [a_kept_row(link)])

    with pytest.raises(TryLaterError):
        keep(database, home, "run-1", [a_kept_row(link, crm_id="another")])

    assert find(database, home, [ref])[ref].crm_id == "crm-mber_1"


# --- release


def test_an_owner_that_gives_up_frees_all_its_claims(database: Database) -> None:
    home = a_home(database)
    claim(database, home, refs("mber_1", "mber_2"), owner="run-1")
    claim(database, home, refs("mber_3"), owner="run-2")

    with database.transaction() as session:
        links.release(session, home.workspace_id, "run-1")

    assert len(claim(database, home, refs("mber_1", "mber_2"), owner="run-3")) == 2
    with pytest.raises(TryLaterError):
        claim(database, home, refs("mber_3"), owner="run-3")


# --- see


def test_a_seen_record_has_the_number_of_the_run(database: Database) -> None:
    home = a_home(database)
    claimed = claim(database, home, refs(*MANY))
    seen = {link.id for link in claimed.values() if link.id is not None}

    with database.transaction() as session:
        links.see(session, home.workspace_id, (id_ for id_ in seen), run=7)

    with database.reading() as session:
        counted = session.exec_driver_sql("SELECT count(*) FROM link WHERE seen_run = 7").scalar()
    assert counted == len(MANY)


def test_the_time_of_a_change_only_moves_on(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    id_ = claim(database, home, [ref], owner="run-1")[ref].id
    assert id_ is not None

    moved = []
    for time in ("2026-11-02", "2026-11-01", "2026-11-03"):
        with database.transaction() as session:
            moved.append(links.move_on(session, home.workspace_id, {id_: time}))

    assert moved == [1, 0, 1]
    assert find(database, home, [ref], owner="run-1")[ref].source_updated_at == "2026-11-03"


def test_seeing_a_record_leaves_the_claim_of_another(database: Database) -> None:
    home = a_home(database)
    (ref,) = refs("mber_1")
    link = claim(database, home, [ref], owner="run-1")[ref]
    assert link.id is not None

    with database.transaction() as session:
        links.see(session, home.workspace_id, [link.id], run=7)

    assert find(database, home, [ref], owner="run-1")[ref].resumed
