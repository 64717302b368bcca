"""The tree is the architecture: arrows point down, generated pages are current, names say what things are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.config.settings import VERSION
from backend.event_store.catalogue import catalogue

ROOT = Path(__file__).resolve().parents[2]


def committed_files(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_import_follows_the_arrows() -> None:
    checker = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(checker)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_event_catalogue_is_current() -> None:
    page = (ROOT / "migrations-notes" / "event-catalogue.md").read_text(encoding="utf-8")
    assert page == catalogue(page, VERSION), "Run `manage.py event_catalogue --write`."


def test_no_module_is_called_utils() -> None:
    names = [
        path
        for path in committed_files("*.py", "*.js", "*.jsx")
        if re.search(r"utils?|helpers?|misc", path.stem)
    ]
    assert names == []


@pytest.mark.parametrize("package", ["domain", "prompting", "application", "audit"])
def test_pure_packages_read_no_clock_and_make_no_ids(package: str) -> None:
    forbidden = re.compile(r"\b(datetime\.now|utcnow|time\.time|monotonic|uuid4|uuid7|urandom|open\()")
    for path in committed_files(f"backend/{package}/*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_decision_records_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_lock_files_name_no_addresses() -> None:
    for path in committed_files("requirements*.txt"):
        assert "://" not in path.read_text(encoding="utf-8"), path
    assert '"resolved"' not in (ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8")
