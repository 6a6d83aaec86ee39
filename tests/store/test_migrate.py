"""Migrations: they make the tables of the models, once, however many processes ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from connector.store import migrate
from connector.store.db import Database
from connector.store.models import metadata

from .racing import race

ROOT = Path(__file__).parents[2]
EVERY = sorted(path.stem for path in (migrate.DIRECTORY / "versions").glob("0*.py"))
NEWEST = EVERY[-1]


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    with database.reading() as session:
        context = MigrationContext.configure(session, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_every_constraint_has_the_name_that_the_models_give_it(database: Database) -> None:
    inspector = inspect(database.engine)

    for name, table in metadata.tables.items():
        made = [
            inspector.get_pk_constraint(name),
            *inspector.get_unique_constraints(name),
            *inspector.get_foreign_keys(name),
        ]
        wanted = [
            database.engine.dialect.identifier_preparer.format_constraint(one) for one in table.constraints
        ]
        assert sorted(str(one["name"]) for one in made) == sorted(map(str, wanted))


def test_upgrading_twice_does_nothing_the_second_time(empty_database: Database) -> None:
    first = migrate.upgrade(empty_database)
    second = migrate.upgrade(empty_database)

    assert first == EVERY
    assert second == []


def test_an_empty_database_is_at_no_revision(empty_database: Database) -> None:
    assert migrate.current(empty_database) is None
    assert not migrate.is_current(empty_database)


def test_an_upgraded_database_is_at_the_newest_revision(empty_database: Database) -> None:
    migrate.upgrade(empty_database)

    assert migrate.current(empty_database) == NEWEST
    assert migrate.is_current(empty_database)


def test_a_database_that_is_a_revision_behind_is_not_current(database: Database) -> None:
    with database.transaction() as session:
        session.exec_driver_sql("UPDATE alembic_version SET version_num = '0000_older'")

    assert not migrate.is_current(database)


def test_two_threads_that_upgrade_at_once_apply_each_revision_once(empty_database: Database) -> None:
    url = empty_database.engine.url.render_as_string(hide_password=False)
    others = [Database(url), Database(url)]

    answers = race(*(lambda one=one: migrate.upgrade(one) for one in others))

    for one in others:
        one.close()
    assert sorted(map(str, answers)) == [str(EVERY), "[]"]


@pytest.mark.slow
def test_processes_that_upgrade_at_once_apply_each_revision_once(empty_database: Database) -> None:
    url = empty_database.engine.url.render_as_string(hide_password=False)
    program = (
        "import sys; from connector.store import db, migrate;"
        "database = db.Database(sys.argv[1]); print(migrate.upgrade(database)); database.close()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    answers = [process.communicate(timeout=30)[0].strip() for process in processes]

    assert sorted(answers) == sorted([str(EVERY), "[]", "[]", "[]"])


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _copy_with(tmp_path, "0002_broken", "op.execute('CREATE TABLE extra (id INTEGER)'); op.execute('no sql')")
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path)

    with pytest.raises(Exception, match="no sql"):
        migrate.upgrade(empty_database)

    assert inspect(empty_database.engine).get_table_names() == []


def test_a_table_that_others_point_at_can_be_changed(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(empty_database)
    _a_workspace_with_a_connection(empty_database)
    change = (
        "with op.batch_alter_table('workspace') as table: table.alter_column('name', new_column_name='title')"
    )
    _copy_with(tmp_path, "0002_rename", change)
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path)

    applied = migrate.upgrade(empty_database)

    assert applied == ["0002_rename"]
    with empty_database.reading() as session:
        assert session.exec_driver_sql("SELECT title FROM workspace").scalar() == "Acme"
        assert session.exec_driver_sql("SELECT count(*) FROM connection").scalar() == 1


def test_foreign_keys_are_watched_again_after_an_upgrade(empty_database: Database) -> None:
    migrate.upgrade(empty_database)

    with pytest.raises(IntegrityError), empty_database.transaction() as session:
        session.exec_driver_sql(_CONNECTION)


@pytest.mark.parametrize("backend", ["sqlite"])  # the only one whose foreign keys are off meanwhile
def test_a_migration_that_leaves_rows_pointing_nowhere_is_undone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _a_workspace_with_a_connection(database)
    _copy_with(tmp_path, "0002_forgetful", "op.execute('DELETE FROM workspace')")
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path)

    with pytest.raises(RuntimeError, match="point nowhere"):
        migrate.upgrade(database)

    assert migrate.current(database) == NEWEST
    with database.reading() as session:
        assert session.exec_driver_sql("SELECT count(*) FROM workspace").scalar() == 1


def test_a_directory_with_a_percent_sign_in_its_name_is_found(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _copy_with(tmp_path / "50%", "9999_nothing", "pass")
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path / "50%")

    assert migrate.upgrade(empty_database) == [*EVERY, "9999_nothing"]


def _copy_with(directory: Path, revision: str, body: str) -> None:
    """The migrations, and one more after the newest."""
    for path in [*migrate.DIRECTORY.glob("*.py"), *migrate.DIRECTORY.glob("versions/*.py")]:
        copy = directory / path.relative_to(migrate.DIRECTORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (directory / "versions" / f"{revision}.py").write_text(
        f"from alembic import op\n"
        f"revision, down_revision, branch_labels, depends_on = {revision!r}, {NEWEST!r}, None, None\n"
        f"def upgrade():\n    {body}\n"
    )


_CONNECTION = (
    "INSERT INTO connection (id, workspace_id, service, company_id, company_title, auth, status, created_at)"
    " VALUES ('c', 'w', 'whop', 'biz_1', '', 'api_key', 'active', '2026-03-02 09:00:00')"
)


def _a_workspace_with_a_connection(database: Database) -> None:
    with database.transaction() as session:
        session.exec_driver_sql(
            "INSERT INTO workspace (id, name, crm_url, crm_workspace_id, crm_name, created_at)"
            " VALUES ('w', 'Acme', 'https://crm.example.com', 'crm', '', '2026-03-02 09:00:00')"
        )
        session.exec_driver_sql(_CONNECTION)
