"""The table of functions in docs/mapping.md, made from the functions themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from connector.core.transforms import TRANSFORMS, Example, Transform

BEGIN: Final = "<!-- functions: made by `python -m connector.mapping_files`, do not edit -->"
END: Final = "<!-- end of functions -->"


def render_functions() -> str:
    """A line for each function: what it takes, gives and does, with its examples."""
    head = "| Function | Takes | Gives | What it does | Examples |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(_line(name, TRANSFORMS[name]) for name in sorted(TRANSFORMS))


def with_functions(page: str) -> str:
    """The page with the table between its markers made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render_functions()}\n{END}{after}"


def write_page(path: Path) -> None:
    """Bring the page up to date."""
    path.write_text(with_functions(path.read_text(encoding="utf-8")), encoding="utf-8")


def _line(name: str, transform: Transform) -> str:
    takes = ", ".join(sorted(transform.takes))
    told = "<br>".join(examples(transform, "`"))
    return f"| `{name}` | {takes} | {transform.gives} | {transform.doc} | {told} |\n"


def examples(transform: Transform, quote: str = "") -> Iterator[str]:
    """What goes in and what comes out of a function, a line each; values stand between ``quote``."""

    def shown(value: object) -> str:
        return "nothing" if value is None else f"{quote}{orjson.dumps(value).decode()}{quote}"

    def given(one: Example) -> str:
        return shown(one.given) + ("" if one.argument is None else f" with {shown(one.argument)}")

    yield from (f"{given(one)} → {shown(one.gives)}" for one in transform.examples)
    yield from (f"{given(one)} is refused" for one in transform.refuses)
