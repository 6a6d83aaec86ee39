"""The two ways in: ``flask …`` finds ``app``, a WSGI server runs ``wsgi:application()``."""

from __future__ import annotations

from flask import Flask

from connector.cli import create_command_app

app = create_command_app()


def application() -> Flask:
    """The web application, from the settings of the environment and .env.

    Raises SettingError or MappingFileError naming every mistake, so that a server does not start with one.
    """
    from connector import bootstrap
    from connector.web import create_app

    return create_app(bootstrap.from_environment())
