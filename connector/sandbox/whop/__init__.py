"""A Whop to develop and test against: an HTTP server with invented data.

It answers as the live API does at version 2026-10-15-1. It imports nothing of
the connector: a double built from the adapter's constants agrees with its bugs.
"""

from connector.sandbox.whop.app import create_app

__all__ = ["create_app"]
