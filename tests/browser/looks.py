"""How a page looks: to axe, and on a picture that is kept in ``test-output/screenshots``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from person import Person

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
_PICTURES = Path(__file__).parents[2] / "test-output" / "screenshots"
#: WCAG 2.0 to 2.2 at the levels A and AA.
_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Variant(NamedTuple):
    """How wide the window is, and which colours the system asks for."""

    width: int
    colours: Literal["light", "dark"]


VARIANTS: Mapping[str, Variant] = {
    "light": Variant(1280, "light"),
    "dark": Variant(1280, "dark"),
    "phone": Variant(390, "light"),
}


def looks_well(person: Person, name: str, variants: Iterable[str] = VARIANTS) -> None:
    """Keep pictures under this name. Axe finds nothing, and the page does not scroll sideways."""
    page = person.page
    page.evaluate(_AXE)
    for variant in variants:
        width, colours = VARIANTS[variant]
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        page.screenshot(path=_PICTURES / f"{name}-{variant}.png", full_page=True, animations="disabled")
        complaints = found_by_axe(person)
        assert not complaints, (variant, complaints)
        assert page.evaluate(_OVERFLOW) <= 0, variant


def second_look(person: Person, name: str, variants: Iterable[str] = VARIANTS) -> None:
    """The page that somebody is on looks well, seen by the same person in a browser that lets axe in."""
    browser = person.context.browser
    assert browser
    with browser.new_context(storage_state=person.context.storage_state(), bypass_csp=True) as context:
        other = Person(context, person.installation)
        other.page.goto(person.page.url)
        looks_well(other, name, variants)


def found_by_axe(person: Person) -> list[str]:
    """Which rule is broken, where, and how to mend it."""
    found = person.page.evaluate("rules => axe.run(document, rules)", _RULES)
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
