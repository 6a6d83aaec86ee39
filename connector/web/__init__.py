"""The HTTP door."""

from __future__ import annotations

from flask import Flask

from connector.bootstrap import Parts
from connector.web import (
    access,
    account,
    crm_hooks,
    crm_sign_in,
    health,
    pages,
    plan,
    safety,
    signin,
    webhooks,
    whop,
)
from connector.web.intake import Intake


def create_app(parts: Parts) -> Flask:
    """The web application around what was built. Makes no connection by itself."""
    app = Flask(__name__, static_folder=None)
    app.secret_key = parts.settings.secret_key
    app.config.update(MAX_CONTENT_LENGTH=1024 * 1024)
    app.extensions["parts"] = parts
    safety.install(app)
    access.install(app, parts)
    for door in (
        health.blueprint,
        signin.blueprint,
        account.blueprint,
        account.colours,
        crm_sign_in.blueprint,
    ):
        app.register_blueprint(door)
    app.extensions["intake"] = Intake(parts.database, parts.vault, parts.tools.clock)
    access.csrf.exempt(webhooks.blueprint)
    app.register_blueprint(webhooks.blueprint)
    access.csrf.exempt(crm_hooks.blueprint)
    app.register_blueprint(crm_hooks.blueprint)
    pages.install(app)
    app.register_blueprint(whop.blueprint)
    app.register_blueprint(plan.blueprint)
    whop.install(app, parts)
    return app
