"""What somebody changed in the CRM: put back and counted where the source owns it; else left alone."""

from __future__ import annotations

import pytest

from connector.core.case import Known
from connector.core.mapping import Own
from connector.core.matching import plan_write
from connector.core.outcomes import Result, WriteResult, drifted, settle
from connector.core.plan import (
    Action,
    Found,
    Holder,
    PlannedWrite,
    Reason,
    Stamp,
    fingerprint,
    is_as_left,
    value_hash,
)
from connector.core.records import Ref
from connector.errors import WriteRefusedError
from tests.core.builders import REF, a_field, a_link, a_mapped, a_mapping, a_row


def planned(own: Own, said: str, current: str | None, wrote: str | None, **known: object) -> PlannedWrite:
    """The source says ``said``, the CRM holds ``current``, and we wrote ``wrote`` last."""
    memory = {"name": (value_hash(wrote), 1)} if wrote else {}
    mapped = a_mapped(name=said)
    found = Found(a_row(name=current))
    about = Known(
        a_link(memory=memory), found, fingerprint(mapped.values), "", known.pop("taken", {}), **known
    )
    return plan_write(mapped, mapped.values, a_mapping(a_field("name", own=own)), about)


@pytest.mark.parametrize(
    ("said", "current", "wrote", "drift"),
    [
        ("ours", "theirs", "ours", ("name",)),
        ("ours", None, "ours", ("name",)),
        ("newer", "theirs", "ours", ("name",)),
        ("newer", "ours", "ours", ()),  # only the source changed
        ("ours", "ours", "ours", ()),
        ("ours", "theirs", None, ()),  # it was there before us
    ],
)
def test_what_somebody_changed_is_told_from_what_the_source_changed(said, current, wrote, drift):
    plan = planned(Own.ALWAYS, said, current, wrote)

    assert plan.drift == drift
    assert (plan.reason is Reason.PUT_BACK) is bool(drift)


@pytest.mark.parametrize("own", [Own.FILL, Own.ONCE, Own.NEVER])
def test_an_edit_of_a_field_that_is_not_the_sources_is_left_alone(own):
    plan = planned(own, "ours", "theirs", "ours")

    assert (plan.action, plan.values, plan.drift) == (Action.NOTHING, {}, ())


def test_a_record_that_comes_second_finds_no_drift():
    first = Holder(Ref("whop", "membership", "mem_0"), before=True)

    plan = planned(Own.ALWAYS, "ours", "theirs", "ours", holders={"crm-1": (first,)})

    assert (plan.action, plan.drift) == (Action.NOTHING, ())


def test_only_what_was_put_back_counts():
    plan = planned(Own.ALWAYS, "ours", "theirs", "ours")
    done = settle(plan, WriteResult(REF, "crm-1"))
    refused = settle(plan, WriteResult(REF, error=WriteRefusedError("no")))

    assert (done.result, done.drift) == (Result.UPDATED, ("name",))
    assert (refused.result, refused.drift) == (Result.FAILED, ())
    assert drifted([done, refused]) == 1


@pytest.mark.parametrize(
    ("seen_at", "stamp", "as_left"),
    [
        ("09:00", Stamp("09:00"), True),
        ("09:00", Stamp("09:01"), False),
        (None, Stamp("09:00"), False),
        ("09:00", Stamp(None), False),
        ("09:00", None, False),
        ("09:00", Stamp("09:00", {"contact": "crm-7"}), True),
        ("09:00", Stamp("09:00", {"contact": None}), False),  # destroyed: that moves no time
        ("09:00", Stamp("09:00", {"other": "crm-8"}), True),  # not said by the source
    ],
)
def test_a_record_that_moved_since_it_was_compared_is_known(seen_at, stamp, as_left):
    link = a_link(crm_seen_at=seen_at)

    assert is_as_left(link, {"contact": "crm-7"}, stamp) is as_left
