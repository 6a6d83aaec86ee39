"""What automations are carried out with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connector.core.automation import Automation
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import load_automations
from connector.ports.acts import SourceActs
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.store.connections import Connection
from connector.sync.act_endings import ActDesk
from connector.sync.alerting import AlertDesk
from connector.sync.tools import Tools

SHIPPED = Path(__file__).parents[2] / "automations"


def automations(directory: str) -> tuple[Automation, ...]:
    """The automation files of a folder, or the shipped ones. Raises AutomationFileError for every mistake."""
    return load_automations(Path(directory or SHIPPED), WHOP, CRM)


def desk(tools: Tools, open_acts: Callable[[Connection], SourceActs], alerts: AlertDesk) -> ActDesk:
    """Acts are carried out by the files that set them off."""
    return ActDesk(tools.database, tools.automations, tools.clock, open_acts, alerts)
