"""Every command says what it does, shows how, and can speak JSON."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from connector.cli import create_command_app


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    for name, command in group.commands.items():
        yield from commands(command, (*path, name))


def groups(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Group]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield " ".join((*path, name)), command
            yield from groups(command, (*path, name))


OURS = create_command_app().cli
COMMANDS = dict(commands(OURS))
GROUPS = dict(groups(OURS))


def test_the_walk_finds_the_commands_we_know() -> None:
    assert {"demo", "worker", "up", "sandbox whop", "workspace list"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    first = (COMMANDS[name].help or "").strip().split("\n")[0]

    assert first.endswith((".", ":")), first
    assert len(first) > 10


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_of_itself(name: str) -> None:
    assert f"Example: flask {name}" in " ".join((COMMANDS[name].help or "").split())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_can_print_json(name: str) -> None:
    options = [option for one in COMMANDS[name].params for option in one.opts]

    assert "--json" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_no_secret_is_given_by_a_flag(name: str) -> None:
    for one in COMMANDS[name].params:
        told = {option.strip("-") for option in one.opts} & {"key", "token", "secret", "password"}
        assert not told, "a secret comes from a prompt, a file or standard input"


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_says_what_it_is_about(name: str) -> None:
    assert (GROUPS[name].help or "").strip().endswith(".")
