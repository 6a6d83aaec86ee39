"""Settings: one table, read once at start, every mistake named at once."""

from .loading import environment, load, read_env_file, unknown_names
from .pages import Shown, masked, render_env_example, render_settings_page
from .table import REQUIRED, TABLE, Setting, Settings

__all__ = [
    "REQUIRED",
    "TABLE",
    "Setting",
    "Settings",
    "Shown",
    "environment",
    "load",
    "masked",
    "read_env_file",
    "render_env_example",
    "render_settings_page",
    "unknown_names",
]
