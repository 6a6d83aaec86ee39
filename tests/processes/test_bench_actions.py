"""``flask bench actions`` measures what it says, on a small scale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_purchases_are_cancelled_once_while_webhooks_are_acknowledged() -> None:
    argv = [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "bench", "actions", "--json"]
    argv += ["--purchases", "4", "--members", "20"]
    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr

    found = {one["name"]: one["value"] for one in json.loads(done.stdout)["figures"]}
    assert found["purchases that are cancelled on Whop"] == 4
    assert found["requests to cancel"] == 4
    assert found["from the webhook to cancelled, p50"] > 5
    assert found["answers other than 2xx"] == 0
