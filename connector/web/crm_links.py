"""Addresses of the CRM's own pages, for links."""

from __future__ import annotations

from urllib.parse import quote

from connector.core.naming import Names
from connector.store.workspaces import Workspace


class CrmLinks:
    """Of one workspace, under the names that its CRM uses now."""

    def __init__(self, workspace: Workspace) -> None:
        self._front = (workspace.crm_front_url or workspace.crm_url).rstrip("/")
        self._names = Names.of(workspace.crm_names)

    def record(self, object_: str, id_: str) -> str:
        """The page of a record; ``object_`` as the mapping calls it."""
        return f"{self._front}/object/{quote(self._names.object(object_), '')}/{quote(id_, '')}"

    def page(self, at: str) -> str:
        """A page by its path; empty for none."""
        return f"{self._front}{at}" if at else ""
