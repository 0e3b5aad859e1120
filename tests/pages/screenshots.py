"""Pictures of every page, at 390 and 1440 px, light and dark: ``make screenshots`` writes them to docs/img."""

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page as Tab, sync_playwright

from tests import chromium
from tests.pages.page import Page
from tests.pages.site import Site, demo_site
from tests.process.server import ROOT

FOLDER: Final = ROOT / "docs" / "img"
WIDTHS: Final = (390, 1440)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
LOWEST, HIGHEST = 700, 1600  # px; what a longer page shows below is more of the same
# Of the admin, whose pages are all drawn by a few templates, one of each kind and what operators open most.
_ADMIN: Final = {
    "admin", "admin-app", "admin-history", "admin-password", "admin-apikey-list", "admin-event-list", "admin-job-list",
    "admin-membership-row", "admin-run-list", "admin-run-row", "admin-runtimeagent-list", "admin-tag-list",
    "admin-task-list", "admin-user-list", "admin-user-new", "admin-user-row",
}  # fmt: skip
_OURS: Final = re.compile(rf"-({'|'.join(map(str, WIDTHS))})-({'|'.join(SCHEMES)})\.png$")


def take(browser: Browser, site: Site, wanted: list[str]) -> set[Path]:
    """Pictures of the pages whose names begin with one of ``wanted``, or of all but the admin's many."""
    people = {signed_in: site.visitor(browser, signed_in=signed_in).context for signed_in in (True, False)}
    made: set[Path] = set()
    for page in site.pages:
        asked = page.name.startswith(tuple(wanted)) if wanted else page.name in _ADMIN or page.name[:5] != "admin"
        if asked and page.name in site.paths:
            made |= _pictures(people[page.signed_in], site, page)
            print(page.name, flush=True)
    return made


def _pictures(context: BrowserContext, site: Site, page: Page) -> set[Path]:
    made: set[Path] = set()
    with context.new_page() as tab:
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": LOWEST})
            site.open(tab, page)  # anew for each width: a page may lay itself out by its script
            for scheme in SCHEMES:
                tab.emulate_media(color_scheme=scheme)
                path = FOLDER / f"{page.name}-{width}-{scheme}.png"
                _write(path, _picture(tab, width))
                made.add(path)
    return made


def _picture(tab: Tab, width: int) -> bytes:
    tab.set_viewport_size({"width": width, "height": LOWEST})
    height = min(HIGHEST, max(LOWEST, tab.evaluate("document.documentElement.scrollHeight")))
    tab.set_viewport_size({"width": width, "height": height})
    return tab.screenshot(animations="disabled", caret="hide")


def _write(path: Path, png: bytes) -> None:
    """With a palette of 64 colours it takes a quarter of the space. Those of a few pixels, as of states, are kept."""
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(64, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def main(wanted: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, demo_site(Path(folder)) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.ARGUMENTS)
        made = take(browser, site, wanted)
        browser.close()
    if not wanted:  # pages that are no more have no pictures
        for path in FOLDER.iterdir():
            if _OURS.search(path.name) and path not in made:
                path.unlink()
    print(f"{len(made)} pictures, {sum(path.stat().st_size for path in made) // 1024} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
