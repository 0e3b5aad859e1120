"""``.env.example`` names every variable that is read, with its default, and no other."""

import ast
import itertools
import re

from orchestrator.environment import BASE_DIR

READERS = {
    "text", "has", "flag", "integer", "seconds", "choice", "words", "origins", "rate", "hosts", "networks", "programs",
    "url",
}  # fmt: skip
SOURCES = [BASE_DIR / "orchestrator" / name for name in ("settings.py", "environment.py")]


def reads() -> list[tuple[list[str], str | None]]:
    """The names that each call of the environment reads, and its default when that is a constant."""
    found = []
    for call in (
        node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ):
        if isinstance(call.func, ast.Attribute) and call.func.attr in READERS and ast.unparse(call.func.value) == "env":
            words = [part.value for part in call.args if isinstance(part, ast.Constant)]
            names = [word for word in words if isinstance(word, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", word)]
            defaults = [part.value for part in call.keywords if part.arg == "default"] or call.args[1:2]
            constant = defaults[0].value if defaults and isinstance(defaults[0], ast.Constant) else None
            named = names[:1] if call.func.attr == "choice" else names
            found.append((named, None if constant is None else str(constant)))
    return found


def example() -> dict[str, str]:
    lines = (BASE_DIR / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_each_variable_is_there_and_no_other() -> None:
    assert {name for names, _ in reads() for name in names} == set(example())


def test_each_has_its_default() -> None:
    written = example()
    for names, default in reads():
        if default is not None and written[names[0]]:
            expected = default.lower() if default in ("True", "False") else default
            assert written[names[0]] == expected, names[0]


def test_each_has_a_line_that_says_what_it_is() -> None:
    lines = (BASE_DIR / ".env.example").read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if line and not line.startswith("#"):
            assert re.fullmatch(r"# .+\.", above), line
