"""The sandbox Twenty: an HTTP server that behaves as a Twenty 2.19 server does.

It holds its records in memory, writes them through to one SQLite file, and answers, refuses
and misbehaves as the recorded server did. Nothing here is shared with the adapter it stands in for.
"""

from connector.sandbox.twenty.app import api_keys, create_app

__all__ = ["api_keys", "create_app"]
