"""Deliveries as Whop makes them, from a process of their own: signed, in time, whatever the answers take.

``python -m connector.cli.bench.posting SPEC`` posts the bodies of a file, one a line, and prints one line of
JSON: for each the second it was due, how long from then to the answer, and the status (0: none). With a
``rate`` they come at random moments, as events do, and never wait for one another; without one, so many at
a time as ``at_once`` says, the next as soon as one was answered.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_WARM = 16  # connections that are open before the first delivery: nobody measures handshakes
_PATIENCE = 60.0

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Sent(NamedTuple):
    """One delivery: when it was due by the clock, seconds until its answer, and the status."""

    id: str
    due: float
    seconds: float
    status: int


class Delivery(NamedTuple):
    """The id that is signed with a body, and the request as it goes over the wire."""

    id: str
    request: bytes


def deliveries(spec: dict[str, Any]) -> Iterator[Delivery]:
    """Every body of the file, signed now."""
    address, secret, now = urlsplit(spec["url"]), spec["secret"].encode(), int(time.time())
    for line in Path(spec["bodies"]).read_bytes().splitlines():
        id_ = json.loads(line)["id"]
        mac = hmac.digest(secret, b"%s.%d.%s" % (id_.encode(), now, line), "sha256")
        head = (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(line)}\r\nwebhook-id: {id_}\r\nwebhook-timestamp: {now}\r\n"
            f"webhook-signature: v1,{base64.b64encode(mac).decode()}\r\n\r\n"
        )
        yield Delivery(id_, head.encode() + line)


class Postman:
    """Kept connections; one that is busy is nobody else's."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._free: deque[Line] = deque()

    async def warm(self) -> None:
        """Open connections ahead."""
        self._free.extend([await self._open() for _ in range(_WARM)])

    async def post(self, delivery: Delivery, due: float) -> Sent:
        """Post it now; it counts from when it was due."""
        status = 0
        try:
            line = self._free.pop() if self._free else await self._open()
            line[1].write(delivery.request)
            status = await asyncio.wait_for(_status(line[0]), _PATIENCE)
            self._free.append(line)
        except (OSError, EOFError, TimeoutError):
            status = 0
        return Sent(delivery.id, due, time.time() - due, status)

    async def _open(self) -> Line:
        return await asyncio.open_connection(self._address.hostname, self._address.port)


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0]
    await reader.readexactly(int(length or 0))
    return int(head.split(" ", 2)[1])


async def at_random(postman: Postman, found: Sequence[Delivery], rate: float, seed: int) -> list[Sent]:
    """So many a second on average, at moments that the dice of ``seed`` choose."""
    dice, due, tasks = random.Random(seed), time.time(), []  # noqa: S311 - no secret
    for one in found:
        due += dice.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.time()))
        tasks.append(asyncio.create_task(postman.post(one, due)))
    return list(await asyncio.gather(*tasks))


async def at_once(postman: Postman, found: Sequence[Delivery], number: int) -> list[Sent]:
    """As fast as the answers come, so many at a time."""
    waiting = iter(found)

    async def post_all() -> list[Sent]:
        return [await postman.post(one, time.time()) for one in waiting]

    return [sent for of in await asyncio.gather(*(post_all() for _ in range(number))) for sent in of]


async def main(spec: dict[str, Any]) -> list[Sent]:
    """Post everything."""
    found, postman = list(deliveries(spec)), Postman(spec["url"])
    await postman.warm()
    if spec.get("rate"):
        return await at_random(postman, found, spec["rate"], spec.get("seed", 1))
    return await at_once(postman, found, spec["at_once"])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
