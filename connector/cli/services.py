"""Commands that run for long: worker, scheduler, and up, which runs everything."""

from __future__ import annotations

import os
import signal
import threading
import time

import click

from connector import bootstrap, schedule
from connector.cli import base, fleet, processes, redis_server
from connector.cli.worker import work
from connector.jobqueue import QUEUES, RqBell, connect
from connector.store import migrate


@base.command("worker")
@click.option("--queues", default=",".join(QUEUES), show_default=True, help="In the order they are served.")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
def worker(queues: str, *, burst: bool, as_json: bool) -> None:
    """Run jobs until stopped.

    Example: flask worker --queues webhooks
    """
    names = [name.strip() for name in queues.split(",") if name.strip()]
    if unknown := [name for name in names if name not in QUEUES]:
        raise click.BadParameter(f"unknown queue {', '.join(unknown)}; there are {', '.join(QUEUES)}.")
    settings = base.settings()
    os.environ["REDIS_URL"] = settings.redis_url  # jobs read the settings again, in this same process
    work(connect(settings.redis_url), names, burst=burst)


@base.command("scheduler")
def scheduler_command(*, as_json: bool) -> None:
    """Ring for what is due, until stopped. A second scheduler does no harm.

    Example: flask scheduler
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    schedule.run(RqBell(connect(base.settings().redis_url)), stop, monotonic=time.monotonic)


@base.command("up")
def up(*, as_json: bool) -> None:
    """Run the whole connector: web, workers, scheduler, and a Redis server unless REDIS_URL names one.

    Example: flask up
    """
    settings = base.settings()
    data = base.data_dir(settings)
    with (
        processes.DataLock(data) as lock,
        processes.Supervisor(data / "logs", lock=lock) as supervisor,
        processes.bound_socket(settings.web_port) as listening,
    ):
        env = {**os.environ, "REDIS_URL": settings.redis_url, "FLASK_SKIP_DOTENV": "1"}
        built = bootstrap.build(settings)
        migrate.upgrade(built.database)
        built.close()
        own = redis_server.RedisServer(data)
        redis = own if settings.redis_url == own.url else None
        many = 1 if settings.database_url.startswith("sqlite") else 2
        children = [
            *([redis.child()] if redis else []),
            fleet.web(listening, env, threads=settings.web_threads, workers=many),
            *fleet.workers(env, settings.workers),
            fleet.scheduler(env),
        ]
        if supervisor.start_all(children):
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            base.show({"address": address}, [f"The connector is up at {address}"], as_json=as_json)
            supervisor.run_until(lambda: False)
    if redis:
        redis.close()


COMMANDS = (worker, scheduler_command, up)
