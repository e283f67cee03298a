"""Take the pictures of the documentation with Playwright: `python docs/screenshots.py`.

The demo must be running (`make demo`). `--site` is its URL, `--chromium` the path of a browser. The
printed page is a PDF, which pypdfium2 draws: `pip install pypdfium2`. Without it, that picture is
not taken again. `--only field-history` takes the pictures whose names have these words.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

try:
    import pypdfium2
except ImportError:
    pypdfium2 = None

IMAGES = Path(__file__).resolve().parent / "images"
COLORS = 128
"""How many colors a picture keeps. The files become a third as large."""

SCALE = 1.5
"""Pixels of a picture for each pixel of the page, for sharp text on small screens."""

PRINTED_PIXELS_PER_POINT = 1.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a page, as one user sees it."""

    name: str
    path: str
    """The path of the page, after that of the customer. With `//`, it is a path of the site."""
    width: int = 1280
    height: int = 900
    scheme: str = "light"
    language: str = "en-US"
    user: str = "manager"
    link: str = ""
    """A selector of a link to follow first."""
    is_printed: bool = False


PICTURES = (
    *(
        Picture(name=f"history-tab-wide-{scheme}", path="/history?filter=open", scheme=scheme)
        for scheme in ("light", "dark")
    ),
    *(
        Picture(
            name=f"history-tab-narrow-{scheme}",
            path="/history",
            width=390,
            height=1100,
            scheme=scheme,
        )
        for scheme in ("light", "dark")
    ),
    Picture(name="history-tab-narrowest", path="/history", width=320, height=1000),
    Picture(name="history-tab-right-to-left", path="/history", language="ar", height=760),
    Picture(name="history-tab-german", path="/history?filter=open", language="de-DE", height=760),
    Picture(name="history-tab-printed", path="/history?print=yes", is_printed=True),
    Picture(name="field-history", path="/history?field=crm.customer:monthly_rate", height=900),
    Picture(
        name="field-history-dialog",
        path="",
        link='a[href$="field=crm.customer:monthly_rate"]',
        height=820,
    ),
    Picture(name="user-history", path="//profile", link='a[href*="/user/"]', height=760),
    Picture(name="undo-preview", path="/history", link='a[href*="/undo/"]', height=560),
)


def main() -> None:
    """Take the pictures, each in a window of its own, as a user who is logged in."""
    options = _options()
    options.images.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=options.browser_options
        )
        for picture in PICTURES:
            if options.only not in picture.name:
                continue
            if picture.is_printed and pypdfium2 is None:
                print(f"{picture.name}: not taken, because pypdfium2 is missing", file=sys.stderr)
                continue
            path = options.images / f"{picture.name}.png"
            _save(_taken(browser, picture, options), path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", default="http://127.0.0.1:8000")
    parser.add_argument("--customer", default="/lantern/customers/1", help="path of the customer")
    parser.add_argument("--password", default="demo")
    parser.add_argument("--chromium", help="path of the browser; Playwright's own by default")
    parser.add_argument("--browser-option", dest="browser_options", action="append", default=[])
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--only", default="")
    return parser.parse_args()


def _taken(browser: Browser, picture: Picture, options: argparse.Namespace) -> bytes | Image.Image:
    with _window(browser, picture) as page:
        _log_in(page, picture.user, options)
        place = (
            picture.path[1:] if picture.path.startswith("//") else options.customer + picture.path
        )
        page.goto(options.site + place)
        if picture.link:
            page.locator(f"main {picture.link}").first.click()
            page.wait_for_load_state("networkidle")
            page.mouse.move(0, 0)
        if picture.is_printed:
            return _first_sheet(page.pdf(prefer_css_page_size=True, print_background=True))
        return page.screenshot()


@contextmanager
def _window(browser: Browser, picture: Picture) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        device_scale_factor=SCALE,
        color_scheme=picture.scheme,
        locale=picture.language,
        reduced_motion="reduce",
    )
    yield context.new_page()
    context.close()


def _first_sheet(document: bytes) -> Image.Image:
    sheet = pypdfium2.PdfDocument(document)[0]
    return sheet.render(scale=PRINTED_PIXELS_PER_POINT).to_pil()


def _save(picture: bytes | Image.Image, path: Path) -> None:
    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    # Without dithering, text stays sharp and the file small.
    few_colors = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    few_colors.save(path, optimize=True)


def _log_in(page: Page, user: str, options: argparse.Namespace) -> None:
    page.goto(f"{options.site}/log-in")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", options.password)
    page.click("main form button")
    page.wait_for_url("**/customers")


if __name__ == "__main__":
    main()
