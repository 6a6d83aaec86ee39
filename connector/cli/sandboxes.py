"""Commands that start the sandbox services: HTTP servers that behave like Whop and Twenty."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from connector.cli import base
from connector.cli.processes import bound_socket, serve


@click.group("sandbox")
def sandbox_group() -> None:
    """Stand-ins for Whop and Twenty, to try things without an account."""


_port = click.option("--port", default=0, help="Port to listen on; 0 takes a free one.", show_default=True)
_fd = click.option("--fd", type=int, help="Listen on this inherited socket instead.", hidden=True)
_data = click.option("--data", type=click.Path(path_type=Path), help="Keep data and the API key here.")


@base.command("whop")
@_port
@_fd
@_data
@click.option("--members", default=500, show_default=True)
@click.option("--memberships", type=int, help="Default: 1.24 for each member.")
@click.option("--companies", default=1, show_default=True, help="How many companies the owner has.")
@click.option("--seed", default=1, show_default=True, help="The same number gives the same people.")
@click.option("--limits/--no-limits", default=True, help="600 requests a minute, as on Whop.")
def whop(  # noqa: PLR0913 - one parameter an option
    port: int,
    fd: int | None,
    data: Path | None,
    members: int,
    memberships: int | None,
    companies: int,
    seed: int,
    *,
    limits: bool,
    as_json: bool,
) -> None:
    """A Whop company with invented members.

    Example: flask sandbox whop --port 5101 --members 500 --seed 1 --data .sandbox/whop
    """
    from connector.sandbox.whop import create_app  # noqa: PLC0415 - no other process needs it

    app = create_app(
        members=members,
        memberships=memberships,
        companies=companies,
        seed=seed,
        data_dir=_folder(data),
        limited=limits,
        clock=time.time,  # notes and tasks are for what happens from now on
    )
    _serve(app, port, fd, as_json=as_json)


@base.command("twenty")
@_port
@_fd
@_data
@click.option("--members", default=0, show_default=True, help="People who are in the CRM already.")
@click.option("--seed", default=1, show_default=True, help="The same number gives the same people.")
@click.option("--batch-cap", default=200, show_default=True, help="Records one request may carry.")
@click.option("--limits/--no-limits", default=True, help="100 requests a minute, as on Twenty.")
@click.option("--recorded-times", is_flag=True, help="Answer as slowly as a real server did.")
def twenty(  # noqa: PLR0913 - one parameter an option
    port: int,
    fd: int | None,
    data: Path | None,
    members: int,
    seed: int,
    batch_cap: int,
    *,
    limits: bool,
    recorded_times: bool,
    as_json: bool,
) -> None:
    """A CRM workspace, empty but for the people asked for.

    Example: flask sandbox twenty --port 5102 --data .sandbox/twenty
    """
    from connector.sandbox.twenty import api_keys, create_app  # noqa: PLC0415 - no other process needs it
    from connector.sandbox.twenty.seeding import seed_people  # noqa: PLC0415

    app = create_app(
        data_dir=_folder(data), batch_cap=batch_cap, rate_limited=limits, recorded_times=recorded_times
    )
    if members:
        seed_people(app, api_keys(app)[0], members, seed)
    _serve(app, port, fd, as_json=as_json)


def _folder(data: Path | None) -> Path | None:
    if data is not None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data


def _serve(app: Any, port: int, fd: int | None, *, as_json: bool) -> None:
    """One process, eight threads: the sandboxes keep their state in memory."""
    if fd is None:
        listening = bound_socket(port)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        fd = listening.detach()
        base.show({"address": address}, [f"Listening on {address}"], as_json=as_json)
    serve(app, fd)


sandbox_group.add_command(whop)
sandbox_group.add_command(twenty)
COMMANDS = (sandbox_group,)
