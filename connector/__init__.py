"""Keeps a Twenty CRM telling the truth about the members of a Whop company."""

__version__ = "0.1.0"
