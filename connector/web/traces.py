"""What is kept of a browser and an address: enough to know one's own session again, and no fingerprint."""

from __future__ import annotations

# More particular ones first: most browsers name others as well.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """A ``User-Agent`` as two words."""
    named = next((name for mark, name in _BROWSERS if mark in agent), "Another browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{named} on {system}" if system else named


def network(address: str) -> str:
    """The first three numbers of an IPv4 address, the first three groups of an IPv6 one."""
    if ":" in address:
        return ":".join(address.split(":")[:3]) + ":…"
    return ".".join(address.split(".")[:3]) + ".x" if address.count(".") == 3 else address
