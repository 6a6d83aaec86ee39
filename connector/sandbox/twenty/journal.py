"""Write-through to one SQLite file: rows, schema, keys and the secret survive a restart of the sandbox.

Safe against the end of the process, not of the machine (synchronous=OFF): it is a stand-in, not a store.
"""

import sqlite3
from pathlib import Path
from typing import Any

import orjson

from connector.sandbox.twenty.workspace import KEPT, Workspace

_TABLES = """
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS row (workspace TEXT, object TEXT, id TEXT, body BLOB,
    PRIMARY KEY (workspace, object, id)) WITHOUT ROWID;
"""


class Journal:
    """Used under the lock of the state; `folder` None keeps everything in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._db = sqlite3.connect(
            folder / "twenty.sqlite3" if folder else ":memory:", check_same_thread=False, isolation_level=None
        )
        self._kept = folder is not None
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA journal_mode=MEMORY")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def read(self, name: str) -> Any:
        found = self._db.execute("SELECT body FROM note WHERE name = ?", (name,)).fetchone()
        return orjson.loads(found[0]) if found else None

    def write(self, name: str, value: Any) -> None:
        self._db.execute("REPLACE INTO note VALUES (?, ?)", (name, orjson.dumps(value)))

    def load(self, workspace: Workspace, kept: dict[str, Any]) -> None:
        """Fill a workspace from what `save` wrote."""
        for name in KEPT:
            setattr(workspace, name, kept.get(name, getattr(workspace, name)))
        workspace.compile()
        rows = self._db.execute("SELECT object, body FROM row WHERE workspace = ?", (workspace.id,))
        for object_id, body in rows:
            workspace.tables[object_id].put(orjson.loads(body))
        for table in workspace.tables.values():
            table.dirty.clear()
        workspace.changed = False

    def save(self, workspace: Workspace) -> None:
        """Write what changed since the last call, in one transaction."""
        if not self._kept:
            for table in workspace.tables.values():
                table.dirty.clear()
            return
        if not workspace.changed and not any(table.dirty for table in workspace.tables.values()):
            return
        self._db.execute("BEGIN")
        if workspace.changed:
            kept = {name: getattr(workspace, name) for name in KEPT}
            self.write(f"workspace {workspace.id}", kept)
            workspace.changed = False
        for object_id, table in workspace.tables.items():
            if table.dirty:
                self._save_rows(workspace.id, object_id, table.dirty)
                table.dirty.clear()
        self._db.execute("COMMIT")

    def _save_rows(self, workspace_id: str, object_id: str, dirty: dict[str, Any]) -> None:
        put = [
            (workspace_id, object_id, key, orjson.dumps(row)) for key, row in dirty.items() if row is not None
        ]
        gone = [(workspace_id, object_id, key) for key, row in dirty.items() if row is None]
        self._db.executemany("REPLACE INTO row VALUES (?, ?, ?, ?)", put)
        self._db.executemany("DELETE FROM row WHERE workspace = ? AND object = ? AND id = ?", gone)
