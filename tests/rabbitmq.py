"""A RabbitMQ of one's own, where Debian's ``rabbitmq-server`` is installed: ``with running() as url``."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATHS = ("/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_SECONDS_TO_START = 60


def _program() -> str | None:
    """Not Debian's wrapper, which becomes the user rabbitmq and cannot write to our folder."""
    return shutil.which("rabbitmq-server", path=os.pathsep.join((*_PATHS, os.environ.get("PATH", ""))))


def installed() -> bool:
    return _program() is not None


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running() -> Iterator[str]:
    """Its BROKER_URL. It listens on this machine alone, and so does its Erlang."""
    program, port = _program(), _free_port()
    assert program is not None, "rabbitmq-server is not installed"
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-rabbitmq-"))
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\nloopback_users.guest = true\n")
    (folder / "plugins").write_text("[].\n")
    env = {
        **os.environ, "HOME": str(folder), "RABBITMQ_NODENAME": f"orchestrator-{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder), "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"), "RABBITMQ_DIST_PORT": str(_free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_PID_FILE": str(folder / "pid"),
        "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(_free_port()),
    }  # fmt: skip
    with (folder / "log").open("w") as log:
        # A session of its own: Ctrl-C in a terminal goes to the whole foreground, and the workers end first.
        server = subprocess.Popen(
            [program], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_until_it_listens(server, port, folder / "log")
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["epmd", "-kill"], env=env, capture_output=True, timeout=10, check=False)
            shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"rabbitmq-server did not start:\n{log.read_text()[-2000:]}")
