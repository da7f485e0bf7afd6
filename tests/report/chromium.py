"""A real headless Chromium for the tests: pages from disk, of any width, and what they ask the network for.

`make setup-all` installs what it needs; where something is missing the tests fail and say so.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser that keeps a log of its network and console."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    assert browser, "No Chromium; run `make setup-all`."
    assert driver, "No chromedriver; run `make setup-all`."
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    running.set_page_load_timeout(120)
    running.set_script_timeout(120)
    try:
        yield running
    finally:
        running.quit()


def show(browser: webdriver.Chrome, page: Path, width: int, dark: bool = False) -> None:
    """Open a page as a screen of this width does."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())


def requests(browser: webdriver.Chrome) -> set[str]:
    """Every address that was asked for since the last call; what the page's policy stopped was not."""
    asked: dict[str, str] = {}
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        told = message["params"]
        if message["method"] == "Network.requestWillBeSent":
            asked[told["requestId"]] = told["request"]["url"]
        elif message["method"] == "Network.loadingFailed" and told.get("blockedReason") == "csp":
            asked.pop(told["requestId"], None)
    return set(asked.values())


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe has against the page as it stands."""
    assert AXE.is_file(), f"{AXE} is missing; run `make setup-all`."
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    result = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({resultTypes: ['violations']}).then(done, (error) => done({error: String(error)}));"
    )
    assert "error" not in result, result["error"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in result["violations"]
        for node in one["nodes"][:3]
    ]
