"""The one door out: every HTTP request this program makes goes through a Door."""

from .addresses import AllowList
from .door import Door, OutboundSession
from .wire import OutboundResponse

__all__ = ["AllowList", "Door", "OutboundResponse", "OutboundSession"]
