"""The HTTP door."""

from __future__ import annotations

from flask import Flask

from connector.bootstrap import Parts
from connector.web import health, safety


def create_app(parts: Parts) -> Flask:
    """The web application around what was built. Makes no connection by itself."""
    app = Flask(__name__)
    app.secret_key = parts.settings.secret_key
    app.config.update(MAX_CONTENT_LENGTH=1024 * 1024)
    app.extensions["parts"] = parts
    app.register_blueprint(health.blueprint)
    safety.install(app)
    return app
