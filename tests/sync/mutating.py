"""Real bodies of every dialect with one thing in them changed, for doors and drains to survive."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "connector" / "web" / "samples"
DIALECTS = {file.stem: json.loads(file.read_bytes()) for file in sorted(SAMPLES.glob("*.json"))}
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.just({"nested": {"x": []}}),
    st.just("mem_" + "x" * 5_000),
)


def mutated(body: Json, path: list[int], value: Any) -> Json:
    """The body with something else at one place, found by going down as the path says."""
    changed = copy.deepcopy(body)
    at: Any = changed
    for step in path[:-1]:
        names = [name for name in at if isinstance(at[name], dict) and at[name]]
        if not names:
            break
        at = at[names[step % len(names)]]
    name = sorted(at)[path[-1] % len(at)]
    if value is ...:
        del at[name]
    else:
        at[name] = value
    return changed


@st.composite
def mutated_bodies(draw: st.DrawFn) -> bytes:
    """A sample of any event in any dialect with a value gone, or another in its place."""
    samples = [body for dialect in DIALECTS.values() for body in dialect.values()]
    path = draw(st.lists(st.integers(0, 60), min_size=1, max_size=4))
    value = draw(st.one_of(ODD, st.just(...)))
    return json.dumps(mutated(draw(st.sampled_from(samples)), path, value)).encode()
