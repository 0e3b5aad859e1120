"""Node types of other packages: found by their entry point, and unable to harm when they are broken."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
EXECUTE = """
import json, sys
from runs.nodes import registry
from runs.nodes.base import NodeContext
result = registry.get("csv").execute(NodeContext("run", "node", 1, {}, {}, json.loads(sys.argv[1])))
print(json.dumps([result.output, result.summary]))
"""
NAMES = "from runs.nodes import registry; print(registry.names())"


def python(code: str, *args: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(path), "DJANGO_SETTINGS_MODULE": "orchestrator.settings"}
    return subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )


def package(folder: Path, name: str, module: str, *entries: str) -> None:
    """What installing a package of one module leaves behind."""
    (folder / f"{name}.py").write_text(module)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orchestrator.nodes]\n" + "\n".join(entries))


@pytest.mark.process
def test_the_example_can_be_installed_and_run(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path), str(ROOT / "examples/plugin")], check=True, capture_output=True)
    settings: dict[str, Any] = {"text": "name;price\nParis;3\n", "delimiter": ";"}
    done = python(EXECUTE, json.dumps(settings), path=tmp_path)
    assert json.loads(done.stdout) == [{"rows": [{"name": "Paris", "price": "3"}]}, "Rows read: 1"]


@pytest.mark.process
def test_a_broken_plug_in_is_named_and_left_out(tmp_path: Path) -> None:
    package(tmp_path, "gone", "", "g = gone:NODE", "m = no_such_module:NODE")
    package(tmp_path, "leaving", "raise SystemExit(1)", "l = leaving:NODE")
    package(tmp_path, "stranger", "NODE = 'a text'", "s = stranger:NODE")
    taken = "from runs.nodes.base import NodeType\n{} = NodeType('{}', 'x', print, {})\n"
    package(tmp_path, "thief", taken.format("NODE", "http", "{}"), "t = thief:NODE")
    package(tmp_path, "muddled", taken.format("NODE", "muddled", "{'type': 7}"), "u = muddled:NODE")
    # It asks the registry while the registry loads it.
    asking = "from runs.nodes import registry\nassert registry.names()\n" + taken.format("NODE", "good", "{}")
    package(tmp_path, "good", asking, "z = good:NODE")
    done = python(NAMES, path=tmp_path)
    assert "'good'" in done.stdout
    assert "'http'" in done.stdout
    assert "'muddled'" not in done.stdout
    for broken in ("gone:NODE", "no_such_module:NODE", "leaving:NODE", "stranger:NODE", "thief:NODE", "muddled:NODE"):
        assert broken in done.stderr
    assert "good:NODE" not in done.stderr
