"""``flask bench incremental`` and ``flask chaos`` measure what they say, on a small scale."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def figures(*command: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), *command, "--json"]
    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return {one["name"]: one["value"] for one in json.loads(done.stdout)["figures"]}


@pytest.mark.slow
def test_an_unchanged_hour_is_measured() -> None:
    found = figures("bench", "incremental", "--members", "100", "--memberships", "150")

    assert found["unchanged hour: records looked at"] >= 240
    assert found["unchanged hour: CRM writes"] == 0
    assert found["unchanged hour: Whop requests"] > 0
    assert found["  of these GET /memberships"] == 2
    assert found["comparison: in step"] == 100
    assert found["comparison: records"] >= 240
    assert found["comparison: CRM writes"] == 0
    assert found["an hour with changes: found"] == found["an hour with changes: changed on Whop"]


@pytest.mark.slow
def test_chaos_ends_in_step() -> None:
    found = figures("chaos", "--minutes", "0.3", "--members", "20")

    assert found["reconcile: in step"] == 100
    assert found["reconcile: match"] > 50
    assert found["an auditor: differences between both sides"] == 0
    assert found["runs that never ended"] == 0
    assert any(name.startswith("survived") for name in found)
