"""Workflows under version control, in the service on SQLite, beside the git command doing the same with a JSON file.

Run by bench.__main__ in a process of its own; prints JSON.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import django

from bench.server import ROOT, settings_for

PATCHES: Final = 300
COMMITS: Final = 60
DEPTHS: Final = (10, 10_000)
READS: Final = 50


def measured() -> dict[str, float]:
    """The figures: patches a second, milliseconds for reads and merges; ``git_…`` those of git."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        env = settings_for(folder)
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=env, check=True)
        ours = subprocess.run([sys.executable, "-m", "bench.versions"], env=env, check=True, stdout=subprocess.PIPE)
        return {**json.loads(ours.stdout), **_git(Path(folder))}


def workflow(nodes: int) -> dict[str, Any]:
    names = [f"node-{number:04}" for number in range(nodes)]
    made = {
        name: {
            "type": "planner", "needs": names[max(0, place - 2) : place],
            "with": {"limit": place, "labels": ["a", "b"], "note": "what this node is for"},
        }
        for place, name in enumerate(names)
    }  # fmt: skip
    return {"name": "bench", "nodes": made}


def changed(definition: dict[str, Any], step: int) -> dict[str, Any]:
    """One node differs."""
    names = list(definition["nodes"])
    definition["nodes"][names[step % len(names)]]["timeout_seconds"] = step + 1
    return definition


def _timed(work: Callable[[], object], times: int = 1) -> float:
    """Seconds a call, the median of ``times``."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[len(taken) // 2]


# --- the service ---------------------------------------------------------------------------------------------------


def _service() -> dict[str, float]:
    from orchestrator.identity import services as identity
    from orchestrator.identity.actors import Actor

    member, _ = identity.ensure_development_member(staff=False)
    actor = Actor.system(member.org_id)
    return {**_patching(actor), **_merging(actor)}


def _patching(actor: Any) -> dict[str, float]:
    from versioning import materialisation, refs
    from versioning.services import workflows

    workflows.create_workflow(actor=actor, tag="flow", definition=workflow(200))
    depth, found = 0, {}

    def patch_to(wanted: int) -> None:
        nonlocal depth
        while depth < wanted:
            depth += 1
            path = f"/nodes/node-{depth % 200:04}/timeout_seconds"
            operation = {"op": "add", "path": path, "value": depth}
            workflows.patch_tag(actor=actor, tag="flow", operations=[operation])

    def read(ref: str) -> None:
        materialisation.forget()
        materialisation.definition_of(refs.resolve(actor.org_id, ref))

    for wanted in DEPTHS:
        patch_to(wanted)
        found[f"read_ms_{wanted}"] = _timed(lambda: read("flow"), READS) * 1000
    began = time.perf_counter()
    patch_to(depth + PATCHES)
    found["patches_per_second"] = PATCHES / (time.perf_counter() - began)
    old = [f"flow@{{{random.Random(number).randrange(2, DEPTHS[-1])}}}" for number in range(READS)]
    found["read_old_ms"] = _timed(lambda: read(old.pop()), READS) * 1000
    return found


def _merging(actor: Any) -> dict[str, float]:
    from versioning import refs
    from versioning.services import merges, tags, workflows

    workflows.create_workflow(actor=actor, tag="ours", definition=workflow(1000))
    tags.create_tag(actor=actor, name="theirs", artifact=refs.resolve(actor.org_id, "ours"))
    for tag, first in (("ours", 0), ("theirs", 500)):
        paths = [f"/nodes/node-{number:04}/timeout_seconds" for number in range(first, first + 100)]
        operations = [{"op": "add", "path": path, "value": 5} for path in paths]
        workflows.patch_tag(actor=actor, tag=tag, operations=operations)
    theirs = refs.resolve(actor.org_id, "theirs")
    dry = _timed(lambda: merges.propose_merge(actor=actor, into="ours", theirs=theirs), 9)
    whole = _timed(lambda: merges.merge_tag(actor=actor, into="ours", theirs=theirs))
    return {"merge_dry_ms": dry * 1000, "merge_ms": whole * 1000}


# --- git -----------------------------------------------------------------------------------------------------------


def _git(folder: Path) -> dict[str, float]:
    with _repository(folder / "commits", workflow(200)) as (git, file):
        definition, began = workflow(200), time.perf_counter()
        for step in range(COMMITS):
            file.write_text(_text(changed(definition, step)))
            git("commit", "-qam", "step")
        found = {"git_commits_per_second": COMMITS / (time.perf_counter() - began)}
    with _repository(folder / "deep", workflow(200)) as (git, _):
        git("fast-import", "--quiet", "--force", stdin=_history(DEPTHS[-1]))
        found["git_read_ms"] = _timed(lambda: git("show", "deep:flow.json"), READS) * 1000
        found["git_read_old_ms"] = _timed(lambda: git("show", f"deep~{DEPTHS[-1] // 2}:flow.json"), READS) * 1000
    with _repository(folder / "merge", workflow(1000)) as (git, file):
        for branch, first in (("theirs", 500), ("ours", 0)):
            definition = workflow(1000)
            for number in range(first, first + 100):
                changed(definition, number)
            git("checkout", "-qb", branch, "start")
            file.write_text(_text(definition))
            git("commit", "-qam", branch)
        found["git_merge_ms"] = _timed(lambda: git("merge", "-q", "-m", "merge", "theirs")) * 1000
    return found


@contextlib.contextmanager
def _repository(path: Path, definition: dict[str, Any]) -> Iterator[tuple[Callable[..., None], Path]]:
    path.mkdir()
    who = {"GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.com"}
    env = {**os.environ, **who, **{name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}}

    def git(*arguments: str, stdin: bytes | None = None) -> None:
        subprocess.run(["git", *arguments], cwd=path, env=env, check=True, input=stdin, stdout=subprocess.DEVNULL)

    git("init", "-q", "-b", "start")
    file = path / "flow.json"
    file.write_text(_text(definition))
    git("add", ".")
    git("commit", "-qm", "first")
    yield git, file


def _history(commits: int) -> bytes:
    """So many commits for git fast-import."""
    definition, lines = workflow(200), []
    for step in range(commits):
        data = _text(changed(definition, step)).encode()
        lines.append(b"commit refs/heads/deep\ncommitter b <b@example.com> %d +0000\ndata 4\nstep\n" % (step + 1))
        lines.append(b"M 644 inline flow.json\ndata %d\n%s\n" % (len(data), data))
    return b"".join(lines)


def _text(definition: dict[str, Any]) -> str:
    return json.dumps(definition, indent=1)


if __name__ == "__main__":
    django.setup()
    print(json.dumps(_service()))
