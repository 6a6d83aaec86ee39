"""The table, shown: `flask config`, docs/settings.md and .env.example all come from it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from .table import TABLE, Setting, Settings


class Shown(NamedTuple):
    """A setting as it may be printed anywhere."""

    name: str
    value: str
    is_default: bool
    help: str


def masked(settings: Settings) -> list[Shown]:
    """Every setting in the table's order; secrets are "set" or "not set", passwords in addresses hidden."""
    return [_shown(setting, settings) for setting in TABLE]


def _shown(setting: Setting, settings: Settings) -> Shown:
    value = getattr(settings, setting.attribute)
    is_default = setting.default is not None and value == setting.default_value
    if setting.secret:
        return Shown(setting.name, "set" if value else "not set", is_default, setting.help)
    return Shown(setting.name, setting.kind.show(value), is_default, setting.help)


_PAGE_HEAD = """\
# Settings

Settings come from the environment, or from a file named `.env` beside the code; where both name one, the
environment wins. They are read once, at start, and a start with a missing or wrong setting stops and names
every one of them. `flask config` shows the settings in force, with secrets hidden.

A setting marked *file* may be given as a file instead, which is how container platforms hand over secrets:
`SECRET_KEY_FILE=/run/secrets/secret_key` reads the value from that file.

This page is made from the table in `connector/config/table.py` by `python -m connector.config`.
"""

_TABLE_HEAD = """\
| Setting | Required | Default | Value | What it does |
| --- | --- | --- | --- | --- |
"""

_ENV_HEAD = """\
# Copy this file to .env and fill in what is required. Lines that begin with "# " and a
# name show an optional setting with its default, or an example. Every setting is explained
# in docs/settings.md. Made from connector/config/table.py by `python -m connector.config`.
"""


def render_settings_page() -> str:
    """The text of docs/settings.md."""
    return _PAGE_HEAD + "".join(_page_group(group, list(lines)) for group, lines in _groups())


def render_env_example() -> str:
    """The text of .env.example."""
    return _ENV_HEAD + "".join(_env_group(group, list(lines)) for group, lines in _groups())


def write_pages(root: Path) -> None:
    """Write both files below ``root``, the top of the checkout."""
    (root / "docs" / "settings.md").write_text(render_settings_page(), encoding="utf-8")
    (root / ".env.example").write_text(render_env_example(), encoding="utf-8")


def _groups() -> Iterator[tuple[str, Iterator[Setting]]]:
    return groupby(TABLE, key=lambda setting: setting.group)


def _page_group(group: str, lines: list[Setting]) -> str:
    return f"\n## {group}\n\n{_TABLE_HEAD}" + "".join(_page_line(setting) for setting in lines)


def _page_line(setting: Setting) -> str:
    required = "**yes**" if setting.default is None else "no"
    default = f"`{setting.default}`" if setting.default else ""
    value = setting.kind.expected + (" (*file*)" if setting.hidden else "")
    example = f" Example: `{setting.example}`" if setting.example else ""
    return f"| `{setting.name}` | {required} | {default} | {value} | {setting.help}{example} |\n"


def _env_group(group: str, lines: list[Setting]) -> str:
    return f"\n# ---- {group} ----\n" + "".join(_env_line(setting) for setting in lines)


def _env_line(setting: Setting) -> str:
    comment = "\n".join(textwrap.wrap(setting.help, width=96, initial_indent="# ", subsequent_indent="# "))
    if setting.default is None:
        return f"\n{comment}\n{setting.name}={setting.example}\n"
    return f"\n{comment}\n# {setting.name}={setting.default or setting.example}\n"
