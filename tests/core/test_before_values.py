"""What a record held before it was written: kept whole, so that it can be put back."""

from __future__ import annotations

import pytest

from connector.core.ownership import first_of, held
from tests.core.builders import a_row


def test_a_field_is_kept_as_it_was_and_an_empty_one_as_empty():
    row = a_row(name="Ada", jobTitle=None)

    assert held(row, ["name", "jobTitle"]) == {"name": "Ada", "jobTitle": None}


@pytest.mark.parametrize("first", [{"primaryEmail": "a@x"}, None])
def test_addresses_are_kept_with_the_further_ones(first):
    kept = held(a_row(emails=first, further=("b@x", "c@x")), ["emails"])["emails"]

    assert kept == {
        "primaryEmail": first["primaryEmail"] if first else "",
        "additionalEmails": ["b@x", "c@x"],
    }
    assert first_of(kept) == first


def test_what_is_too_long_to_be_kept_is_left_out_and_not_shortened():
    row = a_row(short="x" * 16_384, long="x" * 16_385)

    assert list(held(row, ["short", "long"])) == ["short"]
