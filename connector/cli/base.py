"""What every command shares: settings, output, and errors turned into words and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from connector import bootstrap, config, errors, logs
from connector.bootstrap import Parts
from connector.cli.redis_server import RedisServer
from connector.config import Settings
from connector.store.db import file_of

F = TypeVar("F", bound=Callable[..., Any])

FAILED, USAGE, SETTINGS, REFUSED, LATER, RECONNECT = 1, 2, 3, 4, 5, 6
_EXITS: Sequence[tuple[type[errors.ConnectorError], int]] = (
    (errors.SettingError, SETTINGS),
    (errors.MappingFileError, SETTINGS),
    (errors.RefusedError, REFUSED),
    (errors.TryLaterError, LATER),
    (errors.ReconnectError, RECONNECT),
    (errors.VaultError, RECONNECT),
)


_RUN_AGAIN = "Check the address and that it answers, then run the command again."


def command(name: str) -> Callable[[F], click.Command]:
    """A command with ``--json`` (passed as ``as_json``), our errors and our exit codes."""

    def decorate(function: F) -> click.Command:
        @functools.wraps(function)
        def run(*args: Any, as_json: bool, **kwargs: Any) -> Any:
            with told(as_json=as_json):
                return function(*args, as_json=as_json, **kwargs)

        flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
        return click.command(name)(flag(run))

    return decorate


@contextmanager
def told(*, as_json: bool) -> Iterator[None]:
    """An error of ours becomes its words, what to do, and an exit code; a bug keeps its traceback."""
    try:
        yield
    except errors.ConnectorError as error:
        # A command is not tried again by itself, as a run is.
        remedy = _RUN_AGAIN if isinstance(error, errors.TryLaterError) else error.remedy
        if as_json:
            emit({"error": {"code": error.code, "message": str(error), "remedy": remedy}})
        click.echo(f"Error: {error}", err=True)
        if remedy:
            click.echo(remedy, err=True)
        sys.exit(exit_code(error))


def exit_code(error: errors.ConnectorError) -> int:
    """The exit code of an error's class."""
    return next((code for class_, code in _EXITS if isinstance(error, class_)), FAILED)


def emit(document: Any) -> None:
    """The one JSON document of a command."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=str)
    click.echo(text.decode())


def show(document: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """The result: as one document, or as lines for a person."""
    if as_json:
        emit(document)
        return
    for line in lines:
        click.echo(line)


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> Iterator[str]:
    """Rows in aligned columns under a head."""
    text = [[str(cell) if cell is not None else "" for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in text) for column in range(len(head))]
    for row in text:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def settings() -> Settings:
    """The settings of the environment and .env. Raises SettingError naming every mistake.

    Without REDIS_URL it is the server that ``flask up`` starts beside the data.
    """
    environ = config.environment(os.environ, Path(".env"))
    loaded = config.load(environ)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in config.unknown_names(environ):
        click.echo(f"Warning: {warning}", err=True)
    return loaded if loaded.redis_url else replace(loaded, redis_url=RedisServer(data_dir(loaded)).url)


def data_dir(settings: Settings) -> Path:
    """Where this machine keeps its files: beside the SQLite database, else ``data``."""
    file = file_of(settings.database_url)
    return file.parent if file else Path("data")


@contextmanager
def parts() -> Iterator[Parts]:
    """Everything built from the settings, closed afterwards."""
    built = bootstrap.build(settings())
    try:
        yield built
    finally:
        built.close()


def secret(prompt: str, file: str | None, default: str | None = None) -> str:
    """A secret from a file, standard input (``-``), the settings, or a prompt: never from a flag."""
    if file == "-":
        found = sys.stdin.readline().strip()
    elif file:
        try:
            found = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise click.BadParameter(f"{file} cannot be read ({error.strerror}).") from error
    else:
        found = default or click.prompt(prompt, hide_input=True, err=True)
    if not found:
        raise click.UsageError(f"{prompt}: nothing was given.")
    return found
