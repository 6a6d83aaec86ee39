"""Identifiers that can be read backwards, and numbers that look random but are not.

A record is made from its index, so an id must lead back to the index without a
table of 100,000 ids in memory: ids are an affine walk through the 14-letter
words of base 58, and the walk has an inverse.
"""

import hashlib
from typing import Final

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]
PAIR_VALUES: Final = {pair: value for value, pair in enumerate(PAIRS)}
WORD: Final = 14
SPACE: Final = 58**WORD
MASK: Final = (1 << 64) - 1


def salt(*parts: object) -> int:
    """A 64-bit number standing for these parts, the same in every process."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def mix(start: int, index: int) -> int:
    """64 well-spread bits for an index (the finaliser of splitmix64)."""
    x = (index * 0x9E3779B97F4A7C15 + start) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def word(number: int) -> str:
    """A number below 58**14 as 14 letters."""
    pairs = []
    for _ in range(WORD // 2):
        number, rest = divmod(number, 3364)
        pairs.append(PAIRS[rest])
    return "".join(pairs)


class Ids:
    """The ids of one kind: ``of`` an index, and the ``index`` of an id."""

    def __init__(self, prefix: str, *parts: object) -> None:
        self.prefix = prefix + "_"
        step = (salt("step", prefix, *parts) * 0x5851F42D4C957F2D) % SPACE
        # 58 = 2 * 29: a step that is odd and no multiple of 29 has an inverse.
        while step % 2 == 0 or step % 29 == 0:
            step += 1
        self._step = step
        self._start = (salt("start", prefix, *parts) << 16) % SPACE
        self._back = pow(step, -1, SPACE)

    def of(self, index: int) -> str:
        """The id of this index."""
        return self.prefix + word((index * self._step + self._start) % SPACE)

    def index(self, text: str) -> int | None:
        """The index behind an id; None when it is no id of this kind at all."""
        letters = text.removeprefix(self.prefix)
        if len(letters) != WORD or len(text) != WORD + len(self.prefix):
            return None
        number = 0
        for place in range(WORD - 2, -1, -2):
            value = PAIR_VALUES.get(letters[place : place + 2])
            if value is None:
                return None
            number = number * 3364 + value
        return (number - self._start) * self._back % SPACE
