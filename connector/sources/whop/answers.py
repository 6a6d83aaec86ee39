"""What every request to Whop may end in."""

from __future__ import annotations

from connector.errors import TryLaterError


def unlike_whop(path: str) -> TryLaterError:
    """The error for an answer of another form than documented: a cut one, or that of somebody between."""
    return TryLaterError(f"{path} answered, but not in the form that Whop documents.", code="source_answer")
