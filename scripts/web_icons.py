"""Writes web_demo/public/icon-*.png anew: `python scripts/web_icons.py`, after icon.svg changed.

Phones install a page with PNGs only. The maskable one has no corners of its own, and its drawing
keeps to the middle, for launchers cut it to their shape.
"""

from pathlib import Path

from playwright.sync_api import sync_playwright

from fer_edge.browser import find_browser

PUBLIC = Path(__file__).resolve().parents[1] / "web_demo" / "public"
ICONS = {  # name: side in pixels, and whether it is cut to a shape
    "icon-180.png": (180, True),
    "icon-192.png": (192, False),
    "icon-512.png": (512, False),
    "icon-maskable-512.png": (512, True),
}
FRAME = '<rect width="48" height="48" rx="11" fill="#1f5f5b" />'


def drawing(svg: str, side: int, *, is_cut: bool) -> str:
    """Returns a page that shows the icon at a size."""
    body = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    if FRAME not in body:
        raise SystemExit("icon.svg has another frame now: change FRAME in scripts/web_icons.py")
    if is_cut:  # the middle 80% is safe
        body = (
            '<rect width="48" height="48" fill="#1f5f5b" />'
            f'<g transform="translate(4.8 4.8) scale(0.8)">{body.replace(FRAME, "")}</g>'
        )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="{side}">'
    return f"<style>* {{ margin: 0; display: block }}</style>{head}{body}</svg>"


def main() -> None:
    """Writes the files."""
    svg = (PUBLIC / "icon.svg").read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for name, (side, is_cut) in ICONS.items():
            page = browser.new_page(viewport={"width": side, "height": side})
            page.set_content(drawing(svg, side, is_cut=is_cut))
            page.screenshot(path=PUBLIC / name, omit_background=True)
            print(f"{name}, {(PUBLIC / name).stat().st_size} bytes")
        browser.close()


if __name__ == "__main__":
    main()
