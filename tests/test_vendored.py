"""What comes from npm: the copies are those of the lock file, untouched, and ask nobody else for anything."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATIC, TESTS = ROOT / "static" / "vendor", ROOT / "tests" / "vendor"
MANIFEST = json.loads((TESTS / "manifest.json").read_text())
WANTED = json.loads((ROOT / "package.json").read_text())["devDependencies"]
LOCK = json.loads((ROOT / "package-lock.json").read_text())
OWN = {"tests/vendor/build.mjs", "tests/vendor/manifest.json"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_versions_are_exact_and_those_of_the_lock_file() -> None:
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in WANTED.values())
    assert {name: LOCK["packages"][f"node_modules/{name}"]["version"] for name in WANTED} == WANTED
    assert MANIFEST["versions"] == WANTED, "Run make vendor."


def test_the_lock_file_names_no_host_to_fetch_from() -> None:
    packages = [package for name, package in LOCK["packages"].items() if name]
    assert all("resolved" not in package and package["integrity"] for package in packages)


def test_every_file_is_as_it_was_copied() -> None:
    found = {name_of(path): path for top in (STATIC, TESTS) for path in top.rglob("*") if path.is_file()}
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if name not in OWN}
    assert sums == MANIFEST["files"], "Change tests/vendor/build.mjs and run make vendor."


def test_each_source_comes_with_its_licence() -> None:
    licences = {name for name in MANIFEST["files"] if name.endswith("LICENSE")}
    assert len(licences) == 4
    assert all((ROOT / name).stat().st_size > 500 for name in licences)


def test_style_sheets_ask_nobody_else() -> None:
    for path in STATIC.rglob("*.css"):
        assert not re.search(r"@import|url\(|://", re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)), path


def test_icons_are_shapes_and_nothing_else() -> None:
    for path in (STATIC / "lucide").glob("*.svg"):
        tags = set(re.findall(r"<(\w+)", path.read_text()))
        assert tags <= {"svg", "path", "circle", "rect", "line", "polyline", "polygon", "ellipse"}, path
        assert not re.search(r"\b(on\w+|href|style)=", path.read_text()), path
