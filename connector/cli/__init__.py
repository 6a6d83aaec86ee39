"""The product's own commands: ``flask --help`` lists them.

Exit codes: 0 done · 1 the work failed, or ended with failures · 2 wrong usage · 3 a setting or mapping
file is wrong · 4 refused · 5 the other side does not answer now · 6 a credential is not accepted.
With ``--json`` a command prints one JSON document to standard output, and nothing else there.
"""

from __future__ import annotations

from flask import Flask

from connector.cli import admin, connections, demo, mappings, sandboxes, services, syncs, workspaces


def create_command_app() -> Flask:
    """What the ``flask`` command finds: commands only. Each reads the settings that it needs."""
    app = Flask("connector")
    for group in (admin, connections, demo, mappings, sandboxes, services, syncs, workspaces):
        for command in group.COMMANDS:
            app.cli.add_command(command)
    return app
