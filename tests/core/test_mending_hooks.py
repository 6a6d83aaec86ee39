"""What mends a webhook at the source."""

from __future__ import annotations

from connector.core.hooking import Mending, SourceHook, Wanted, mend

WANTED = Wanted("https://connector.example.com/w", frozenset({"member.created"}), "2026-10-15-1")


def a_hook(id_: str = "hook_1", **changed: object) -> SourceHook:
    values = {"url": WANTED.url, "events": WANTED.events, "version": WANTED.version, "enabled": True}
    return SourceHook(id_, **{**values, **changed})


def test_one_that_is_as_it_should_be_stays() -> None:
    hook = a_hook()

    assert mend([hook, a_hook("hook_2", url="https://elsewhere.example.com")], "hook_1", WANTED) == Mending(
        hook, (), make=False, remove=()
    )


def test_what_differs_is_changed_and_nothing_else() -> None:
    hook = a_hook(url="https://old.example.com", version=None, enabled=False)

    assert mend([hook], "hook_1", WANTED) == Mending(hook, ("url", "version"), make=False, remove=())


def test_without_one_that_we_know_another_is_made_and_strange_ones_of_our_address_go() -> None:
    strange = [a_hook("hook_2"), a_hook("hook_3", url="https://elsewhere.example.com")]

    assert mend(strange, None, WANTED) == Mending(None, (), make=True, remove=("hook_2",))
    assert mend(strange, "hook_1", WANTED) == Mending(None, (), make=True, remove=("hook_2",))


def test_events_that_are_missing_or_too_many_are_brought_in_line() -> None:
    hook = a_hook(events=WANTED.events | {"plan.updated"})

    assert mend([hook], "hook_1", WANTED).changes == ("events",)
