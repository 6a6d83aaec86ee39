"""The product's own commands: ``flask --help`` lists them.

Exit codes: 0 done · 1 the work failed, or ended with failures · 2 wrong usage · 3 a setting or mapping
file is wrong · 4 refused · 5 the other side does not answer now · 6 a credential is not accepted.
With ``--json`` a command prints one JSON document to standard output, and nothing else there.
"""

from __future__ import annotations

from flask import Flask

from connector.cli.admin import COMMANDS as ADMIN
from connector.cli.alerts import COMMANDS as ALERTS
from connector.cli.automations import COMMANDS as AUTOMATIONS
from connector.cli.benches import COMMANDS as BENCHES
from connector.cli.connections import COMMANDS as CONNECTIONS
from connector.cli.demo import COMMANDS as DEMO
from connector.cli.explain import COMMANDS as EXPLAIN
from connector.cli.mappings import COMMANDS as MAPPINGS
from connector.cli.operators import COMMANDS as OPERATORS
from connector.cli.prune import COMMANDS as PRUNE
from connector.cli.reconciles import COMMANDS as RECONCILES
from connector.cli.reviews import COMMANDS as REVIEWS
from connector.cli.sandboxes import COMMANDS as SANDBOXES
from connector.cli.services import COMMANDS as SERVICES
from connector.cli.syncs import COMMANDS as SYNCS
from connector.cli.undo import COMMANDS as UNDO
from connector.cli.webhooks import COMMANDS as WEBHOOKS
from connector.cli.workspaces import COMMANDS as WORKSPACES


def create_command_app() -> Flask:
    """What the ``flask`` command finds: commands only. Each reads the settings that it needs."""
    app = Flask("connector")
    for commands in (
        ADMIN,
        ALERTS,
        AUTOMATIONS,
        BENCHES,
        CONNECTIONS,
        DEMO,
        EXPLAIN,
        MAPPINGS,
        OPERATORS,
        PRUNE,
        RECONCILES,
        REVIEWS,
        SANDBOXES,
        SERVICES,
        SYNCS,
        UNDO,
        WEBHOOKS,
        WORKSPACES,
    ):
        for command in commands:
            app.cli.add_command(command)
    return app
