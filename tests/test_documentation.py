"""The docs against the code: an undocumented setting or dependency, or a link that leads nowhere, fails the build."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
# Written by others than a commit: pictures are taken, figures are measured.
MADE = {"docs/performance.md"}


def settings_read() -> set[str]:
    """The names that settings.py and environment.py ask the environment for."""
    names: set[str] = set()
    for path in ("orchestrator/settings.py", "orchestrator/environment.py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == "env"
            ):
                several = node.func.attr in ("text", "has", "integer")  # the others take a default after the name
                asked = node.args if several else node.args[:1]
                names |= {argument.value for argument in asked if isinstance(argument, ast.Constant)}
    return {name for name in names if re.fullmatch(r"[A-Z][A-Z0-9_]+", str(name))}


def test_every_setting_is_in_the_example_with_its_comment() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if re.match(r"[A-Z_]+=", line)]
    assert len(names) == len(set(names))
    assert set(names) == settings_read()
    alone = [line for before, line in pairwise(lines) if "=" in line[:30] and not before.startswith("#")]
    assert not alone, "Say what it does in the line above."


def test_every_setting_is_in_the_readme_with_the_same_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\|", (ROOT / "README.md").read_text(), re.MULTILINE)
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert dict(rows) == example


@pytest.mark.parametrize(
    ("file", "heading", "name"),
    [
        ("requirements.in", "## The product", r"^([a-z0-9][a-z0-9-]*)"),
        ("requirements-dev.in", "## Tests", r"^([a-z0-9][a-z0-9-]*)"),
        ("package.json", "## From npm", r'^ +"([a-z-]+)": "[\d.]+"'),
    ],
)
def test_every_direct_dependency_has_its_reason(file: str, heading: str, name: str) -> None:
    wanted = set(re.findall(name, (ROOT / file).read_text(), re.MULTILINE))
    section = (ROOT / "docs/dependencies.md").read_text().partition(heading)[2].partition("\n## ")[0]
    reasons = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", section, re.MULTILINE))
    assert set(reasons) == wanted
    assert all(reasons.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_our_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(#[\w-]+)?\)", page.read_text())
    for target, _ in links:
        if not target.startswith(("http:", "https:", "mailto:")):
            found = (page.parent / target).resolve()
            assert found.exists() or found.relative_to(ROOT).as_posix() in MADE, target


def test_every_target_that_a_page_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    named = {name for page in PAGES for name in re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)", page.read_text())}
    assert named <= known


def test_every_decision_says_context_decision_and_consequences() -> None:
    for number, page in enumerate(sorted((ROOT / "docs/decisions").glob("*.md")), 1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert [f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")] == [True] * 3
