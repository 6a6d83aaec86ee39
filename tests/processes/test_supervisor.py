"""One supervisor within the test's own process, and children that behave badly in one way each."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from watching import lives, wait_for

from connector.cli import processes
from connector.cli.processes import Child, Supervisor
from connector.errors import ConnectorError


def python(name: str, code: str, **more: object) -> Child:
    return Child(name, [sys.executable, "-I", "-S", "-c", code], **more)  # type: ignore[arg-type]


SLEEPS = "import time; time.sleep(60)"


def test_children_start_in_order_each_when_the_one_before_is_healthy(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    one = f"import time; time.sleep(0.2); open({str(first)!r}, 'w'); time.sleep(60)"
    two = f"import os; print(os.path.exists({str(first)!r}), file=open({str(second)!r}, 'w')); {SLEEPS}"
    assert supervisor.start_all(
        [
            python("one", one, healthy=first.exists),
            python("two", two, healthy=lambda: second.exists() and second.read_text() != ""),
        ]
    )
    assert second.read_text() == "True\n"
    assert list(supervisor.pids()) == ["one", "two"]


def test_children_are_ended_in_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    children = []
    for name in ("one", "two", "three"):
        ready = tmp_path / name
        code = (
            "import pathlib, signal, sys, time\n"
            f"def end(*_): open({str(ends)!r}, 'a').write('{name} '); sys.exit()\n"
            f"signal.signal(signal.SIGTERM, end); pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
        )
        children.append(python(name, code, healthy=ready.exists))
    supervisor.start_all(children)
    supervisor.stop_all()
    assert ends.read_text() == "three two one "
    assert supervisor.pids() == {}


def test_a_child_leads_its_own_session(supervisor: Supervisor) -> None:
    supervisor.start(python("one", SLEEPS))
    pid = supervisor.pids()["one"]
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_a_killed_child_is_started_again(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(python("one", SLEEPS, healthy=lambda: True))
    before = supervisor.pids()["one"]
    supervisor.kill("one")
    supervisor.run_until(lambda: supervisor.pids().get("one", before) != before and len(said) == 2)
    assert said == ["one was ended by SIGKILL; it is started again in 0.2 s.", "one runs again."]


def test_what_a_dead_child_leaves_is_ended_before_it_is_started_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    note = tmp_path / "orphan"
    code = (
        "import os, pathlib, time\nchild = os.fork()\nif not child: os.setpgrp()\n"
        f"else: pathlib.Path({str(note)!r}).write_text(str(child))\ntime.sleep(60)"
    )
    supervisor.start(python("one", code, healthy=lambda: note.exists() and note.read_text() != ""))
    orphan, before = int(note.read_text()), supervisor.pids()["one"]
    assert lives(orphan)
    supervisor.kill("one")
    supervisor.run_until(lambda: supervisor.pids().get("one", before) != before)
    assert not lives(orphan)


def test_a_child_that_was_healthy_once_is_not_given_up_but_waited_for_longer(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_FIRST_DELAY", 0.05)
    monkeypatch.setattr(processes, "_LONGEST_DELAY", 0.1)
    answers = iter([True])
    supervisor.start(python("one", SLEEPS, healthy=lambda: next(answers, False)))
    for deaths in range(1, 7):
        supervisor.run_until(lambda: "one" in supervisor.pids())
        supervisor.kill("one")
        supervisor.run_until(lambda deaths=deaths: len(said) == deaths)
    assert [line.split()[-2] for line in said] == ["0.05", "0.1", "0.1", "0.1", "0.1", "0.1"]


def test_a_child_that_never_starts_ends_everything_and_shows_its_log(
    supervisor: Supervisor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_FIRST_DELAY", 0.05)
    supervisor.start(python("good", SLEEPS))
    good = supervisor.pids()["good"]
    with pytest.raises(ConnectorError) as caught:
        supervisor.start(
            python("bad", "raise SystemExit('no database')", healthy=lambda: False, remedy="Make one.")
        )
    assert "bad does not start: it ended 5 times, and the last time it ended with exit code 1." in str(
        caught.value
    )
    assert f"The last lines of {tmp_path / 'logs/bad.log'}:\n    no database\n" in str(caught.value)
    assert caught.value.remedy == "Make one."
    assert [line.split()[-2] for line in said] == ["0.05", "0.1", "0.2", "0.4"]
    assert not lives(good)
    assert supervisor.stopping


def test_an_unhealthy_child_ends_everything_and_shows_its_log_without_secrets(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/slow.log").write_text("of an earlier start\n")
    code = f"print('still loading, token=abcdef0123456789', flush=True); {SLEEPS}"
    child = python("slow", code, healthy=lambda: False)
    with pytest.raises(ConnectorError) as caught:
        supervisor.start(child, timeout=0.4)
    assert str(caught.value).startswith("slow was started, but is not ready after 0.4 seconds.")
    assert str(caught.value).endswith("slow.log:\n    still loading, token=***")
    assert supervisor.pids() == {}


def test_a_child_that_ends_well_before_it_is_healthy_has_not_started(
    supervisor: Supervisor, said: list[str]
) -> None:
    with pytest.raises(ConnectorError, match=r"one was started, but is not ready after 0\.3 seconds"):
        supervisor.start(python("one", "pass", healthy=lambda: False), timeout=0.3)
    assert said[0] == "one ended with exit code 0; it is started again in 0.2 s."


def test_a_health_check_that_cannot_connect_is_merely_not_healthy(supervisor: Supervisor) -> None:
    answers = iter([ConnectionRefusedError(), TimeoutError()])

    def healthy() -> bool:
        if error := next(answers, None):
            raise error
        return True

    assert supervisor.start(python("one", SLEEPS, healthy=healthy))


def test_a_program_that_is_not_there(supervisor: Supervisor) -> None:
    with pytest.raises(ConnectorError, match=r"one cannot be started .*No such file"):
        supervisor.start(Child("one", ["/nowhere/at/all"]))


def test_a_child_that_runs_once(supervisor: Supervisor, said: list[str]) -> None:
    once = python("once", "pass", restart=False, healthy=lambda: False)
    assert supervisor.start(once)
    assert said == ["once ended with exit code 0."]
    with pytest.raises(ConnectorError, match="twice ended with exit code 3"):
        supervisor.start(python("twice", "raise SystemExit(3)", restart=False, healthy=lambda: False))


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(
    supervisor: Supervisor, said: list[str]
) -> None:
    code = (
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPS}"
    )
    supervisor.start(python("one", code, grace=0.3, healthy=lambda: _log(supervisor, "one") != ""))
    began = time.monotonic()
    supervisor.stop_all()
    assert 0.3 <= time.monotonic() - began < 1
    assert said == ["one is killed: it did not end in time."]


def test_a_signal_while_starting_stops_everything(supervisor: Supervisor) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    never = python("never", SLEEPS, healthy=lambda: False)
    assert not supervisor.start_all([python("one", SLEEPS), never, python("two", SLEEPS)])
    timer.join()
    assert list(supervisor.pids()) == ["one", "never"]
    supervisor.run_until(lambda: False)  # returns at once
    supervisor.stop_all()
    assert supervisor.pids() == {}


def test_the_handlers_of_signals_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Supervisor(None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_thread_may_supervise(tmp_path: Path) -> None:
    stop = threading.Event()
    supervisor = Supervisor(tmp_path, echo=lambda _: None)
    supervisor.start(python("one", SLEEPS))
    before = supervisor.pids()["one"]
    thread = threading.Thread(target=supervisor.run_until, args=(stop,))
    thread.start()
    supervisor.kill("one")
    wait_for(lambda: supervisor.pids().get("one", before) != before)
    stop.set()
    thread.join()
    supervisor.stop_all()
    assert supervisor.pids() == {}


def test_a_killed_watcher_is_replaced_and_told_everything(supervisor: Supervisor) -> None:
    supervisor.start(python("one", SLEEPS))
    before, child = supervisor.watcher, supervisor.pids()["one"]
    os.kill(before, signal.SIGKILL)
    supervisor.run_until(lambda: supervisor.watcher != before)
    supervisor._tether.close()  # as if the supervisor were gone
    assert not lives(child)


def test_a_long_log_is_put_aside_at_the_start_and_one_is_kept(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_LOG_LIMIT", 10)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "one.log").write_text("a long long line\n")
    (logs / "one.log.1").write_text("older\n")
    supervisor.start(
        python("one", f"print('new', flush=True); {SLEEPS}", healthy=lambda: _log(supervisor, "one"))
    )
    assert (logs / "one.log").read_text() == "new\n"
    assert (logs / "one.log.1").read_text() == "a long long line\n"


def _log(supervisor: Supervisor, name: str) -> str:
    assert supervisor._log_dir
    return (supervisor._log_dir / f"{name}.log").read_text()
