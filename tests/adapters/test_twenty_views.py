"""Views in Twenty: made once, finished after a cut, made anew only for who asks again, and explained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twenty_builders import MAPPINGS, PERSON, Sandbox, a_sandbox

from connector.core.naming import Names
from connector.crms.twenty.views import TwentyViews
from connector.errors import RefusedError, TryLaterError

ALL = list(MAPPINGS)
WORKSPACE = "8a1f0c5e-0000-4000-8000-000000000001"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as running:
        running.schema.apply(ALL)
        yield running


def views(sandbox: Sandbox, *, key: str = "", names: Names | None = None) -> TwentyViews:
    client = sandbox.client_with(key) if key else sandbox.client
    return TwentyViews(client, WORKSPACE, names=names or Names())


def ours(sandbox: Sandbox) -> dict[str, dict[str, object]]:
    found = sandbox.rest("GET", "metadata/views")
    return {one["name"]: one for one in found if one["isCustom"]}


def test_the_views_are_made_with_their_filter_and_columns(sandbox: Sandbox):
    made = views(sandbox).make(ALL)

    there = ours(sandbox)
    assert [one.name for one in made] == ["Whop: paying", "Whop: at risk", "Whop: by product"]
    assert set(there) == {one.name for one in made}
    status = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["id"]
    [filter_] = sandbox.rest("GET", f"metadata/viewFilters?viewId={there['Whop: paying']['id']}")
    assert (filter_["fieldMetadataId"], filter_["operand"], filter_["value"]) == (status, "IS", ["ACTIVE"])
    assert len(there["Whop: paying"]["viewFieldIds"]) == 6
    assert len(there["Whop: by product"]["viewFieldIds"]) == 4
    assert made[0].at == f"/objects/opportunities?viewId={there['Whop: paying']['id']}"


def test_looking_makes_nothing(sandbox: Sandbox):
    found = views(sandbox).look(ALL)

    assert [one.at for one in found] == ["", "", ""]
    assert ours(sandbox) == {}


def test_asked_twice_they_are_there_once(sandbox: Sandbox):
    first = views(sandbox).make(ALL)

    again = views(sandbox).make(ALL)

    assert again == first == views(sandbox).look(ALL)
    assert len(ours(sandbox)) == 3


def test_what_a_person_changed_of_a_view_stays(sandbox: Sandbox):
    views(sandbox).make(ALL)
    [paying] = [one for one in ours(sandbox).values() if one["name"] == "Whop: paying"]
    before = sandbox.rest("GET", f"metadata/views/{paying['id']}")["viewFieldIds"]

    views(sandbox).make(ALL)

    assert sandbox.rest("GET", f"metadata/views/{paying['id']}")["viewFieldIds"] == before


@pytest.mark.parametrize("cut", ["before", "after"])
def test_cut_off_after_any_request_the_rest_is_made_later(sandbox: Sandbox, cut: str):
    whole, cuts = False, 0
    while not whole:
        sandbox.fresh()
        sandbox.fault("POST /rest/metadata/view", {"cut": cut}, skip=cuts % 2, times=1)
        sandbox.fault("createManyViewFields", {"cut": cut}, times=1 - cuts % 2)
        try:
            views(sandbox).make(ALL)
        except TryLaterError:
            cuts += 1
        else:
            whole = True

    sandbox.fresh()
    there = ours(sandbox)
    assert cuts >= 3
    assert {name: len(one["viewFilterIds"]) for name, one in there.items()} == {
        "Whop: paying": 1,
        "Whop: at risk": 1,
        "Whop: by product": 0,
    }
    assert {name: len(one["viewFieldIds"]) for name, one in there.items()} == {
        "Whop: paying": 6,
        "Whop: at risk": 8,
        "Whop: by product": 4,
    }


def test_a_view_that_was_deleted_is_made_with_another_id(sandbox: Sandbox):
    first = views(sandbox).make(ALL)
    # Twenty keeps the ids of deleted views (1023) and lists them no more.
    empty = {"status": 200, "body": []}
    sandbox.fault("GET /rest/metadata/views", empty, times=1)

    again = views(sandbox).make(ALL)

    assert again[0].at != first[0].at
    assert again[1:] == first[1:]


def test_a_renamed_field_is_still_filtered_by(sandbox: Sandbox):
    names = sandbox.schema.apply(ALL).names
    status = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["id"]
    sandbox.rest("PATCH", f"metadata/fields/{status}", {"name": "subscription"})

    made = views(sandbox, names=names).make(ALL)

    assert made[0].lacks == ()
    [filter_] = sandbox.rest("GET", f"metadata/viewFilters?viewId={ours(sandbox)['Whop: paying']['id']}")
    assert filter_["fieldMetadataId"] == status


def test_a_view_whose_field_is_missing_is_left_out_and_said_so():
    with a_sandbox() as sandbox:
        found = views(sandbox).make(ALL)

        assert [one.lacks for one in found] == [
            ("whopMembershipStatus",),
            ("whopMembershipStatus",),
            ("whopProduct",),
        ]
        assert ours(sandbox) == {}


def test_only_views_of_what_the_mappings_write_are_offered(sandbox: Sandbox):
    assert views(sandbox).look([PERSON]) == []


def test_without_the_permission_it_is_named(sandbox: Sandbox):
    key = sandbox.control("POST", "keys", {"do": "new", "role": "reader"})["key"]

    with pytest.raises(RefusedError) as caught:
        views(sandbox, key=key).make(ALL)

    assert caught.value.code == "crm_views"
    assert "“Views”" in caught.value.remedy
    assert ours(sandbox) == {}
