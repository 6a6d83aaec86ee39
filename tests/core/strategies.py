"""What hypothesis draws: values as a source may send them, records, and CRM rows."""

from __future__ import annotations

from hypothesis import strategies as st

texts = st.text(max_size=20)
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts
json = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
values_there = json.filter(lambda value: value is not None)

NAMES = ("a", "b", "c")
flat_values = st.dictionaries(st.sampled_from(NAMES), st.none() | texts, max_size=3)
records = st.dictionaries(
    st.sampled_from(NAMES),
    st.none() | texts | st.dictionaries(st.sampled_from(NAMES), st.none() | texts, max_size=3),
    max_size=3,
)
