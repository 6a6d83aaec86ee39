"""What automations are carried out with."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from connector.bootstrap.crm_openers import CrmOpeners
from connector.core.automation import Automation
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import load_automations
from connector.ports.acts import SourceActs
from connector.ports.chats import Chats
from connector.ports.crm_requests import CrmRequests
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync.act_endings import ActDesk
from connector.sync.alerting import AlertDesk
from connector.sync.asking import AskDesk
from connector.sync.conversing import TalkDesk
from connector.sync.tools import Tools
from connector.vault import Vault

SHIPPED = Path(__file__).parents[2] / "automations"


def automations(directory: str) -> tuple[Automation, ...]:
    """The automation files of a folder, or the shipped ones. Raises AutomationFileError for every mistake."""
    return load_automations(Path(directory or SHIPPED), WHOP, CRM)


def desk(
    tools: Tools,
    open_acts: Callable[[Connection], SourceActs],
    alerts: AlertDesk,
    open_crm: Callable[[Workspace], CrmRequests],
) -> ActDesk:
    """Acts are carried out by the files that set them off."""
    files, opened = tools.automations, (open_acts, alerts, open_crm)
    return ActDesk(
        tools.database, files, tools.clock, *opened, lambda workspace: tools.open_noter(workspace, "webhook")
    )


def ask_desk(tools: Tools, vault: Vault, openers: CrmOpeners, public_url: str) -> AskDesk:
    """Where is heard what people in the CRM ask for."""
    opened = (openers.requests, openers.requests_changing)
    return AskDesk(tools.database, vault, tools.clock, *opened, partial(secrets.token_hex, 32), public_url)


def talk_desk(tools: Tools, open_chats: Callable[[Connection], Chats]) -> TalkDesk:
    """Where conversations are looked after."""
    return TalkDesk(tools.database, tools.clock, tools.open_reader, open_chats, tools.open_noter)
