"""``flask bench source`` measures what it says, on a small scale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_reading_is_measured_beside_a_minimal_loop() -> None:
    argv = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "bench", "source"]
    sizes = ["--members", "100", "--memberships", "150", "--json"]
    done = subprocess.run([*argv, *sizes], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode in (0, 1), done.stderr
    figures = {one["name"]: one["value"] for one in json.loads(done.stdout)["figures"]}
    assert figures["member: records"] == 100
    assert figures["membership: records"] == 150
    assert figures["membership: records lost"] == 0
    assert figures["membership: list requests"] == 2
    assert figures["membership: times our door and parser"] >= 1
    assert figures["membership: times requests and its JSON"] > 0
