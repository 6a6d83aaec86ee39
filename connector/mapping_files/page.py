"""The table of functions in docs/mapping.md, made from the functions themselves."""

from __future__ import annotations

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
    examples = [f"{_code(one.given)}{_with(one)} → {_code(one.gives)}" for one in transform.examples]
    examples += [f"{_code(one.given)}{_with(one)} is refused" for one in transform.refuses]
    return f"| `{name}` | {takes} | {transform.gives} | {transform.doc} | {'<br>'.join(examples)} |\n"


def _with(example: Example) -> str:
    return "" if example.argument is None else f" with {_code(example.argument)}"


def _code(value: object) -> str:
    return "nothing" if value is None else f"`{orjson.dumps(value).decode()}`"
