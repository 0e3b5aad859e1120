"""The rules of the house that no linter knows. Its walls are in .importlinter; docs/architecture.md draws them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("orchestrator", "agents", "runs", "tasks", "versioning")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "extras", "tools"}
# Imports inside a function, and why they are there.
LATE_IMPORTS = {
    (
        "orchestrator/web/management/commands/serve.py",
        "granian_server",
    ): "loads a native runtime that uvicorn's users need not",
    ("orchestrator/web/management/commands/serve.py", "daphne_server"): "importing it installs Twisted's reactor",
}


def sources(*tops: str) -> list[Path]:
    """The Python files below ``tops``; migrations are written by a machine."""
    found = (path for top in tops for path in sorted((ROOT / top).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


def product() -> list[Path]:
    return [path for path in sources(*ROOMS) if "tests" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_and_functions_fit_on_their_pages(capsys: pytest.CaptureFixture[str]) -> None:
    everything = sources(*ROOMS, "tests", "bench")
    files = sorted(((len(path.read_text().splitlines()), name_of(path)) for path in everything), reverse=True)
    lengths = sorted(
        (
            ((node.end_lineno or 0) - node.lineno + 1, f"{name_of(path)}: {node.name}")
            for path in everything
            for node in functions(path)
        ),
        reverse=True,
    )
    with capsys.disabled():
        for title, found in (("The ten largest files", files), ("The ten largest functions", lengths)):
            print(f"\n{title}:")
            print("\n".join(f"{lines:>5} lines  {name}" for lines, name in found[:10]))
    assert files[0][0] <= MAX_FILE_LINES, files[0]
    assert lengths[0][0] <= MAX_FUNCTION_LINES, lengths[0]


def test_only_commands_print() -> None:
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for path in product()
        if "management" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not calls, f"Log instead (structlog): {calls}"


def test_imports_stand_at_the_top() -> None:
    """A late import hides a dependency from the reader, and mostly a cycle from the linter."""
    late = {
        (name_of(path), function.name)
        for path in product()
        for function in functions(path)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    unexplained = {
        (name, function) for name, function in late if not (name.endswith("/apps.py") and function == "ready")
    }
    assert unexplained == set(LATE_IMPORTS), "Move it to the top, or say in LATE_IMPORTS why it cannot be there."


def test_every_module_is_named_by_what_it_holds() -> None:
    named = [name_of(path) for path in sources(*ROOMS) if SAYS_NOTHING & {path.stem, *path.relative_to(ROOT).parts}]
    assert not named, named


def test_every_room_says_what_it_is_for() -> None:
    """Modules begin with a docstring; urls, apps and empty packages speak for themselves."""
    plain = {"urls.py", "apps.py", "__init__.py", "admin.py", "filters.py", "serializers.py", "urlconf.py"}
    silent = [name_of(path) for path in product() if path.name not in plain and not ast.get_docstring(tree_of(path))]
    assert not silent, silent
