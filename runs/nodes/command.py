"""``command``: starts a program that COMMAND_NODE_ALLOW lists, with a list of arguments and without a shell."""

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

from django.conf import settings

from orchestrator.core import clock
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.limits import Limit
from runs.nodes.secrets import TEXT_OR_SECRET, Secrets

_SECONDS: Final = 60
_GRACE_SECONDS: Final = 5.0
_MEBIBYTE: Final = 1024 * 1024
_TAIL: Final = 2000
_PIECE: Final = 64 * 1024
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
# They decide which code runs as the program, or are told by us.
_OURS: Final = ("PATH", "LD_", "DYLD_", "ORCHESTRATOR_")
_TEXT: Final = {"type": "string", "pattern": "^[^\\u0000]*$"}

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "program": {
            "description": "The absolute path of a program that COMMAND_NODE_ALLOW lists.",
            "type": "string",
            "pattern": "^/",
        },
        "args": {
            "description": "Its arguments, each as it is: no shell reads them.",
            "type": "array",
            "items": _TEXT,
            "maxItems": 1000,
        },
        "stdin": {"description": "What it reads.", "type": "string"},
        "env": {
            "description": "Variables: texts, or references to secrets.",
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,99}$"},
            "additionalProperties": TEXT_OR_SECRET,
            "maxProperties": 100,
        },
        "timeout_seconds": {
            "description": "How long it may take.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 86400,
            "default": _SECONDS,
        },
        "max_bytes": {
            "description": "The most that it may write.",
            "type": "integer",
            "minimum": 1,
            "maximum": 16 * _MEBIBYTE,
            "default": _MEBIBYTE,
        },
    },
    "required": ["program"],
    "additionalProperties": False,
}


def run(ctx: NodeContext) -> NodeResult:
    """Runs the program in an empty folder of its own, which is removed with all that it started.

    Raises ``not_allowed``, ``secret_missing``, ``cannot_start``, ``timeout``, ``stopped``, ``output_too_large``,
    ``command_failed``.
    """
    program = _allowed(ctx.config["program"])
    secrets = Secrets()
    given = _given(ctx.config.get("env", {}), secrets)
    limit = Limit(ctx, ctx.config.get("timeout_seconds", _SECONDS))
    with (
        tempfile.TemporaryDirectory(prefix="node-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as stdin,
    ):
        stdin.write(ctx.config.get("stdin", "").encode(errors="replace"))
        stdin.seek(0)
        command = [program, *ctx.config.get("args", ())]
        with _started(command, stdin, folder, _environment(ctx, folder, given)) as process:
            collected = _collected(process, limit, ctx.config.get("max_bytes", _MEBIBYTE))
        code = process.returncode
    stdout, stderr = (secrets.hide(piece.decode(errors="replace").replace("\0", "\ufffd")) for piece in collected)
    if code != 0:
        why = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        details = {"exit_code": code, "stderr": stderr[-_TAIL:]}
        raise NodeFailure("command_failed", f"{program} {why}.", details)
    summary = f"{program} ended well, with {len(stdout):,} characters of output"
    return NodeResult({"exit_code": code, "stdout": stdout, "stderr": stderr}, summary)


def _allowed(program: str) -> str:
    if program in settings.COMMAND_NODE_ALLOW:
        return program
    if not settings.COMMAND_NODE_ALLOW:
        message = "Programs are not started on this server: COMMAND_NODE_ALLOW is empty."
    else:
        message = f"{program} is not on the list of programs that command nodes may start: COMMAND_NODE_ALLOW."
    raise NodeFailure("not_allowed", message, {"program": program}, permanent=True)


def _given(variables: Mapping[str, Any], secrets: Secrets) -> dict[str, str]:
    for name in variables:
        if name.startswith(_OURS):
            raise NodeFailure("not_allowed", f"A workflow cannot set the variable {name}.", permanent=True)
    return {name: secrets.value(value) for name, value in variables.items()}


def _environment(ctx: NodeContext, folder: str, given: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": folder,
        "TMPDIR": folder,
        **given,
        "ORCHESTRATOR_IDEMPOTENCY_KEY": ctx.idempotency_key,
        "ORCHESTRATOR_ATTEMPT": str(ctx.attempt),
    }


@contextmanager
def _started(
    command: list[str], stdin: IO[bytes], folder: str, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, in a session of its own; whatever of its group is left at the end is killed."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator allowed it, and no shell reads the arguments
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=environment,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "its arguments are no text"
        raise NodeFailure("cannot_start", f"{command[0]} cannot be started: {why}.", permanent=True) from None
    with process:
        try:
            yield process
        except NodeFailure as failure:
            _end(process, grace=_GRACE_SECONDS if failure.code in ("timeout", "stopped") else 0)
            raise
        finally:
            # Before it is waited for: until then nobody else can have its number.
            _signal(process, signal.SIGKILL)


def _collected(process: subprocess.Popen[bytes], limit: Limit, most: int) -> tuple[bytes, bytes]:
    """Both outputs, until the process has ended. What it leaves running does not keep it waiting."""
    assert process.stdout
    assert process.stderr
    collected = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as waiting:
        for descriptor in collected:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map() or not _has_ended(process):
            ready = waiting.select(min(limit.pause(), 0.05))
            if not ready and _has_ended(process):
                break
            for key, _ in ready:
                piece = os.read(key.fd, _PIECE)
                collected[key.fd] += piece
                if not piece:
                    waiting.unregister(key.fd)
            if sum(map(len, collected.values())) > most:
                message = f"The program wrote more than {most:,} bytes."
                raise NodeFailure("output_too_large", message, {"max_bytes": most}, permanent=True)
    stdout, stderr = collected.values()
    return bytes(stdout), bytes(stderr)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without waiting for it: its number, which is that of its group, stays taken until it is."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask the group to end, and give it ``grace`` seconds."""
    _signal(process, signal.SIGTERM)
    until = clock.monotonic() + grace
    with selectors.DefaultSelector() as pause:
        while not _has_ended(process) and clock.monotonic() < until:
            pause.select(0.05)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


NODE = NodeType(
    "command",
    "Starting a program",
    run,
    SCHEMA,
    "Starts a program that COMMAND_NODE_ALLOW lists, with arguments and without a shell, and gives what it wrote.",
)
