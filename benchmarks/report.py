"""The report of 500 leaves of 50 items: what it weighs, and how long a Chromium takes to open it.

`make bench-report` prints the tables of benchmarks/README.md. The exam is invented, its answers about as
long as the tiny student's; every page is opened ROUNDS times in a browser that was just cleared.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from selenium import webdriver  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from pipelines.report import FORMS, read_report, write_report  # noqa: E402
from tests.report.chromium import chromium, show  # noqa: E402
from tests.report.support import large  # noqa: E402

LEAVES, ITEMS, ROUNDS = 500, 50, 5
SCREENS = {"desktop, 1,280 px": 1280, "phone, 390 px": 390}
TIMES = """
const [page] = performance.getEntriesByType('navigation');
const [paint] = performance.getEntriesByName('first-contentful-paint');
return page.loadEventEnd && paint ? [paint.startTime, page.loadEventEnd] : null;
"""


def made(folder: Path) -> Iterator[str]:
    """A row a file: what it weighs, and the processor time that making it takes."""
    write_report(large(LEAVES, ITEMS), folder)
    started = time.process_time()
    told = read_report(folder / "report.json")
    yield "| file | size | processor time to make it |"
    yield "|---|---|---|"
    size = (folder / "report.json").stat().st_size
    yield f"| report.json | {size / 1e6:.2f} MB | {time.process_time() - started:.1f} s to read |"
    for name, form in FORMS.items():
        started = time.process_time()
        size = len(form(told).encode())
        yield f"| {name} | {size / 1e6:.2f} MB | {time.process_time() - started:.1f} s |"


def opened(folder: Path) -> Iterator[str]:
    """A row a screen: the median of the times that the browser itself tells."""
    yield "| screen | first contentful paint | load event |"
    yield "|---|---|---|"
    for screen, width in SCREENS.items():
        with chromium() as browser:
            found = [_opening(browser, folder / "report.html", width) for _ in range(ROUNDS)]
        paint, load = (statistics.median(each) / 1000 for each in zip(*found, strict=True))
        yield f"| {screen} | {paint:.2f} s | {load:.2f} s |"


def _opening(browser: webdriver.Chrome, page: Path, width: int) -> list[float]:
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    show(browser, page, width)
    told: list[float] = WebDriverWait(browser, 120).until(lambda one: one.execute_script(TIMES))
    return told


def main() -> None:
    print(
        f"{LEAVES} leaves of {ITEMS} items; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for table in (made, opened):
            print("\n".join(table(Path(folder))), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
