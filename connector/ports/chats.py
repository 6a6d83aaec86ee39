"""What conversations need of the source: what was written in a chat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from connector.core.conversations import Post


class Chats(Protocol):
    """Reads the support chats of one company."""

    def posts(self, channel: str) -> Iterator[list[Post]]:
        """The messages of a chat, the newest first, page after page.

        Raises TryLaterError, ReconnectError and RefusedError.
        """
        ...
