"""Take the screenshots of the History tab with Playwright: `python docs/screenshots.py`.

The demo must be running (`make demo`). `--site` is its URL, `--chromium` the path of a browser.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"

WIDTHS = {"wide": 1280, "narrow": 390}
HEIGHTS = {"wide": 1000, "narrow": 1100}
QUERIES = {"wide": "?filter=open", "narrow": ""}


def main() -> None:
    """Log in as the manager and take a screenshot for each width and color scheme."""
    options = _options()
    options.images.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium)
        for shape, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                page = browser.new_context(
                    viewport={"width": width, "height": HEIGHTS[shape]},
                    color_scheme=scheme,
                    reduced_motion="reduce",
                ).new_page()
                _log_in(page, options)
                page.goto(f"{options.site}{options.page}{QUERIES[shape]}")
                path = options.images / f"history-tab-{shape}-{scheme}.png"
                page.screenshot(path=path, full_page=options.full_page)
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", default="http://127.0.0.1:8000")
    parser.add_argument("--page", default="/lantern/customers/1/history")
    parser.add_argument("--user", default="manager")
    parser.add_argument("--password", default="demo")
    parser.add_argument("--chromium", help="path of the browser; Playwright's own by default")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--full-page", action="store_true")
    return parser.parse_args()


def _log_in(page: Page, options: argparse.Namespace) -> None:
    page.goto(f"{options.site}/log-in")
    page.fill("input[name=username]", options.user)
    page.fill("input[name=password]", options.password)
    page.click("main form button")
    page.wait_for_url("**/customers")


if __name__ == "__main__":
    main()
