"""Adapters of the CRM out of a workspace's row, each in the request budget of its credential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.bootstrap.crm import CrmSessions, credential_kind
from connector.budget import Budgets, Slots, Standing, Terms
from connector.config import Settings
from connector.core.naming import Names
from connector.crms.twenty.client import LIMITS, TwentyClient
from connector.crms.twenty.notes import TwentyNoter
from connector.crms.twenty.requests import TwentyRequests
from connector.crms.twenty.schema import TwentySchema
from connector.crms.twenty.views import TwentyViews
from connector.crms.twenty.workflows import TwentyWorkflows
from connector.crms.twenty.writer import DEFAULT_BATCH, TwentyWriter
from connector.ports import Budget, Lane, Writer
from connector.ports.crm_model import SchemaKeeper, Views, Workflows
from connector.ports.crm_notes import Noter
from connector.ports.crm_requests import CrmRequests
from connector.store.workspaces import Workspace

_BUDGET: Final = Terms("Twenty", code="crm_rate_limit", limits=LIMITS)
_SLACK: Final = 60.0


def crm_budget_key(workspace_id: str, credential: str) -> str:
    """Under which the budget of a workspace's CRM is kept."""
    return f"crm:{workspace_id}:{credential}"


@dataclass(frozen=True, slots=True)
class CrmOpeners:
    """The CRM's side of what opens adapters."""

    settings: Settings
    pause: Callable[[float], None]
    budgets: Budgets
    crm: CrmSessions

    def writer(self, workspace: Workspace, lane: Lane) -> Writer:
        """The CRM side of a workspace, by its API key or else by somebody's sign-in.

        Raises ReconnectError when it has neither, or none that works.
        """
        return TwentyWriter(
            self._client(workspace, lane),
            batch=workspace.batch_cap or DEFAULT_BATCH,
            names=Names.of(workspace.crm_names),
        )

    def noter(self, workspace: Workspace, lane: Lane) -> Noter:
        """What leaves notes and tasks in a workspace's CRM. Raises as ``writer``."""
        return TwentyNoter(self._client(workspace, lane), batch=workspace.batch_cap or DEFAULT_BATCH)

    def schema_for(self, crm_url: str, key: str) -> SchemaKeeper:
        """The data model of a CRM that is not kept as a workspace."""
        return TwentySchema(TwentyClient(self.crm.session(crm_url, key), pause=self.pause))

    def schema(self, workspace: Workspace, admin_id: str | None = None) -> SchemaKeeper:
        """The CRM's data model. What the API key may not do, the admin does, or whoever signed in last."""
        return TwentySchema(self._changing(workspace, admin_id), names=Names.of(workspace.crm_names))

    def workflows(self, workspace: Workspace, admin_id: str | None = None) -> Workflows:
        """The CRM's own automations, which no API key may switch."""
        return TwentyWorkflows(self._changing(workspace, admin_id))

    def views(self, workspace: Workspace, admin_id: str | None = None) -> Views:
        """Lists in the CRM."""
        names = Names.of(workspace.crm_names)
        return TwentyViews(self._changing(workspace, admin_id), workspace.id, names=names)

    def requests(self, workspace: Workspace) -> CrmRequests:
        """The field by which people ask for something on Whop. Raises as ``writer``."""
        return TwentyRequests(self._client(workspace, "webhook"))

    def requests_changing(self, workspace: Workspace, admin_id: str | None = None) -> CrmRequests:
        """The same, with the right to make the field."""
        return TwentyRequests(self._changing(workspace, admin_id))

    def _changing(self, workspace: Workspace, admin_id: str | None) -> TwentyClient:
        session = self.crm.changing(workspace, admin_id)
        return TwentyClient(session, pause=self.pause, budget=self._budget(workspace, "incremental"))

    def crm_limit(self, workspace_id: str) -> Standing | None:
        """What is known of the CRM's request limit; None where there is none, or nothing is known."""
        return self.budgets.standing(crm_budget_key(workspace_id, "api_key"))

    def _client(self, workspace: Workspace, lane: Lane) -> TwentyClient:
        session = self.crm.writing(workspace)
        return TwentyClient(session, pause=self.pause, budget=self._budget(workspace, lane))

    def _budget(self, workspace: Workspace, lane: Lane) -> Budget:
        """Twenty limits API keys, all of a workspace together; people's tokens it does not, so we do."""
        kind = credential_kind(workspace)
        key = crm_budget_key(workspace.id, kind)
        if kind == "api_key":
            return self.budgets.tokens(key, _BUDGET, lane)
        longest = self.settings.http_connect_timeout_seconds + self.settings.http_read_timeout_seconds
        slots = Slots("Twenty", code="crm_busy", longest=longest + _SLACK)
        return self.budgets.slots(key, slots, lane)
