"""The command node: listed programs alone, no shell, and nothing left running."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runs.nodes.base import NodeFailure, NodeResult
from runs.tests.nodes.outside import execute, failure

SH = "/bin/sh"


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.COMMAND_NODE_ALLOW = [SH, "/bin/cat", "/bin/echo", "/no/such/program", "/etc/passwd"]
    settings.NODE_SECRETS = {"NODE_SECRET_A": "a-secret-value"}


def sh(script: str, *args: str, **config: Any) -> NodeResult:
    return execute("command", {"program": SH, "args": ["-c", script, "sh", *args], **config})


def fails(script: str, seconds: float | None = None, stop: Any = None, **config: Any) -> NodeFailure:
    more = {"stop": stop} if stop else {}
    return failure("command", {"program": SH, "args": ["-c", script], **config}, seconds=seconds, **more)


def gone(pid: int) -> bool:
    """Whether no such process runs, a zombie that nobody has fetched aside; waits for it up to 5 s."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        threading.Event().wait(0.01)
    return False


def test_it_is_off_unless_something_is_listed(settings: Any) -> None:
    settings.COMMAND_NODE_ALLOW = []
    told = failure("command", {"program": SH})
    assert (told.code, told.permanent) == ("not_allowed", True)
    assert "COMMAND_NODE_ALLOW is empty" in str(told)


@pytest.mark.parametrize("program", ["/bin/ls", "sh", "/bin/../bin/sh", "/bin//sh", "/bin/sh -c true", "/BIN/SH"])
def test_other_programs_and_other_spellings_are_refused(program: str) -> None:
    assert failure("command", {"program": program}).code == "not_allowed"


def test_what_it_gives() -> None:
    result = sh("cat; echo problem >&2", stdin="ü\n")
    assert result.output == {"exit_code": 0, "stdout": "ü\n", "stderr": "problem\n"}
    assert result.summary == "/bin/sh ended well, with 2 characters of output"


def test_no_shell_reads_the_arguments() -> None:
    args = ["$HOME", "`id`", "; echo x", "*", "a b", "", "$(id)"]
    assert execute("command", {"program": "/bin/echo", "args": args}).output["stdout"] == " ".join(args) + "\n"


def test_a_failure_tells_its_code_and_its_last_words() -> None:
    told = fails("seq 1 2000 >&2; exit 3")
    assert (told.code, told.permanent, told.details["exit_code"]) == ("command_failed", False, 3)
    assert told.details["stderr"].endswith("1999\n2000\n")
    assert len(told.details["stderr"]) == 2000
    told = fails("kill -9 $$")
    assert (told.details["exit_code"], str(told)) == (-9, "/bin/sh was ended by signal 9.")


@pytest.mark.parametrize("program", ["/no/such/program", "/etc/passwd"])
def test_what_cannot_be_started(program: str) -> None:
    assert (failure("command", {"program": program}).code) == "cannot_start"
    assert fails("true\0").code == "cannot_start"


def test_its_environment_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_PRIVATE", "x")
    monkeypatch.setenv("LANG", "C.UTF-8")
    result = sh("env; pwd; ls -A; echo x > left", env={"A": "1", "B": {"env": "NODE_SECRET_A", "prefix": "t "}})
    *lines, folder = result.output["stdout"].splitlines()
    found = dict(line.split("=", 1) for line in lines)
    for of_the_shell in ("PWD", "_", "SHLVL", "OLDPWD"):
        found.pop(of_the_shell, None)
    assert found == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "A": "1",
        "B": "t [secret]",
        "ORCHESTRATOR_IDEMPOTENCY_KEY": "run:node:0",
        "ORCHESTRATOR_ATTEMPT": "2",
    }
    assert not Path(folder).exists(), "the folder goes with the attempt"


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "ORCHESTRATOR_ATTEMPT"])
def test_variables_that_are_not_the_workflows(name: str) -> None:
    assert fails("true", env={name: "x"}).code == "not_allowed"


def test_the_secret_stays_a_secret() -> None:
    told = fails("echo $A >&2; exit 1", env={"A": {"env": "NODE_SECRET_A"}})
    assert told.details["stderr"] == "[secret]\n"


def test_output_is_bounded() -> None:
    begun = time.monotonic()
    told = fails("yes", max_bytes=100_000)
    assert (told.code, told.permanent) == ("output_too_large", True)
    assert time.monotonic() - begun < 5
    assert sh("head -c 1000 /dev/zero", max_bytes=1000).output["stdout"] == "\ufffd" * 1000
    assert sh("printf '\\377'").output["stdout"] == "\ufffd"


def test_large_input_and_output_do_not_wait_for_each_other() -> None:
    text = "0123456789" * 300_000
    assert execute("command", {"program": "/bin/cat", "stdin": text, "max_bytes": 3_000_000}).output["stdout"] == text
    assert sh("echo unread", stdin=text).output["stdout"] == "unread\n"


def test_it_ends_with_its_time_and_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; trap 'echo asked > {tmp_path}/asked; exit' TERM; wait"
    told = fails(script, timeout_seconds=0.5)
    assert (told.code, told.permanent) == ("timeout", False)
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert gone(int((tmp_path / "child").read_text()))


def test_the_time_of_the_attempt_counts_too() -> None:
    assert str(fails("sleep 60", seconds=0.2)) == "It took longer than 0.2 seconds."


def test_who_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.nodes.command._GRACE_SECONDS", 0.2)
    script = f"trap '' TERM; echo $$ > {tmp_path}/self; while :; do sleep 0.05; done"
    assert fails(script, timeout_seconds=0.5).code == "timeout"
    assert gone(int((tmp_path / "self").read_text()))


def test_a_stopped_attempt_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    stop = threading.Event()

    def stop_when_started() -> None:
        with (tmp_path / "started").open():
            stop.set()

    watcher = threading.Thread(target=stop_when_started)
    watcher.start()
    assert fails(f"echo > {tmp_path}/started; sleep 60", stop=stop).code == "stopped"
    watcher.join()


def test_what_it_leaves_running_holds_nobody_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert sh(f"sleep 60 & echo $! > {tmp_path}/child; echo done").output["stdout"] == "done\n"
    assert time.monotonic() - begun < 5
    assert gone(int((tmp_path / "child").read_text()))


def test_many_at_once() -> None:
    """Children of several threads are not mixed up."""
    codes: dict[int, int] = {}

    def one(number: int) -> None:
        codes[number] = fails(f"exit {number}").details["exit_code"]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {number: number for number in range(1, 17)}
