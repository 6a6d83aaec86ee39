"""Writes docs/settings.md and .env.example from the table."""

from pathlib import Path

from .pages import write_pages

write_pages(Path(__file__).parents[2])
