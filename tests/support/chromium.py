"""Finds a Chromium for the browser tests, or installs one: `python -m tests.support.chromium` prints its path.

Looked for on the PATH first, then taken from the system's packages (as root), then from Playwright's own download.
When none can be had it fails and says so; the tests never go on without a browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE_SECONDS: Final = 600
DOWNLOAD_SECONDS: Final = 180


class ChromiumMissing(Exception):
    """No Chromium can be had; the text says what was tried."""


def find_chromium() -> str | None:
    """The Chromium that CHROMIUM names, or one on the PATH, or one that Playwright has downloaded."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None) or _playwright_chromium()


def get_chromium() -> str:
    """A Chromium, installed if need be. Raises ChromiumMissing."""
    found = find_chromium()
    if found:
        return found
    tried: list[str] = [f"none of {', '.join(NAMES)} is on the PATH"]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        problem = _run(["apt-get", "update", "-qq"], PACKAGE_SECONDS, environment) or _run(
            install, PACKAGE_SECONDS, environment
        )
        if problem is None and (found := find_chromium()):
            return found
        tried.append(f"apt-get: {problem or 'installed, but no program of that name appeared'}")
    problem = _run(
        [sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_SECONDS, dict(os.environ)
    )
    if problem is None and (found := find_chromium()):
        return found
    tried.append(f"playwright install: {problem or 'installed, but its program was not found'}")
    raise ChromiumMissing(
        f"The browser tests need Chromium, and none can be had ({'; '.join(tried)})."
        " Install it, or set CHROMIUM to the path of one."
    )


def _run(command: Sequence[str], seconds: int, environment: dict[str, str]) -> str | None:
    """None when the command succeeds, else one line about its failure."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {seconds} s"
    except OSError as error:
        return error.strerror or str(error)
    if result.returncode == 0:
        return None
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"ended with code {result.returncode}"


def _playwright_chromium() -> str | None:
    """The Chromium that Playwright has downloaded, if it has."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    try:
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return shutil.which(result.stdout.strip()) if result.returncode == 0 else None


def main() -> int:
    """Print the path of Chromium, or say why there is none."""
    try:
        print(get_chromium())
    except ChromiumMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
