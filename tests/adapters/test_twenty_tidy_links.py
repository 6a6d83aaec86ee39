"""A link that is tidy already is left as it is, without being taken apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.crms.twenty import values


@given(st.from_regex(values._TIDY_LINK, fullmatch=True))
def test_what_is_taken_for_tidy_would_come_out_the_same(url):
    assert values._taken_apart(url, url) == url
    assert values.links(url) == {"primaryLinkUrl": url}
