"""Asks the public services whether a package of ours is known to be unsafe: `make audit-dependencies`.

pip-audit for Python (fetched for the occasion, by uv), npm's own audit for the front end. A package that nobody could be asked
about counts as not audited, never as safe. Exit status 0: all asked, none known to be unsafe; 1: some are; 2: not all could be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PYTHON_LISTS: Final = tuple(sorted(path.name for path in ROOT.glob("requirements*.txt")))
SECONDS: Final = 300


@dataclass(frozen=True)
class Audit:
    """unsafe: one line each. unasked: what could not be asked about, and why; one line each."""

    asked: int
    unsafe: tuple[str, ...]
    unasked: tuple[str, ...]


def read_pip_audit(name: str, text: str) -> Audit:
    """What pip-audit's JSON says of one list of packages."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(0, (), (f"{name}: pip-audit gave no answer.",))
    unsafe = tuple(
        f"{package['name']} {package['version']} ({name}): {flaw['id']}, fixed in {', '.join(flaw.get('fix_versions', [])) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", [])
    )
    skipped = [package for package in packages if "skip_reason" in package]
    unasked = (
        (f"{name}: {len(skipped)} of {len(packages)} packages. {skipped[0]['skip_reason']}",)
        if skipped
        else ()
    )
    return Audit(len(packages) - len(skipped), unsafe, unasked)


def read_npm_audit(text: str) -> Audit:
    """What npm's JSON says of the front end's packages."""
    try:
        found: dict[str, Any] = json.loads(text)
        asked = int(found["metadata"]["dependencies"]["total"])
        flaws: dict[str, dict[str, Any]] = found["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        reason = json.loads(text).get("message", "") if text.lstrip().startswith("{") else ""
        return Audit(0, (), (f"frontend: npm gave no answer. {reason}".strip(),))
    unsafe = tuple(
        f"{name} (frontend): {flaw['severity']}, in {flaw['range']}" for name, flaw in flaws.items()
    )
    return Audit(asked, unsafe, ())


def audits() -> list[Audit]:
    """Ask about everything that is locked."""
    from backend.embedded.node import FRONTEND, node_environment, npm_command

    found: list[Audit] = []
    for name in PYTHON_LISTS:
        command = [str(ROOT / ".venv" / "bin" / "uvx"), "pip-audit", "--disable-pip", "--require-hashes"]
        print(f"Asking about {name}...", flush=True)
        found.append(read_pip_audit(name, _said([*command, "--format", "json", "--requirement", name])))
    print("Asking about the front end's packages...", flush=True)
    found.append(
        read_npm_audit(
            _said(npm_command(["audit", "--json"]), folder=FRONTEND, environment=node_environment())
        )
    )
    return found


def _said(command: list[str], folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    try:
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout


def report(found: list[Audit]) -> int:
    """Say it all; answer the exit code."""
    for audit in found:
        for line in audit.unsafe:
            print(f"unsafe: {line}")
        for line in audit.unasked:
            print(f"not audited: {line}")
    asked, unsafe = sum(audit.asked for audit in found), sum(len(audit.unsafe) for audit in found)
    unasked = any(audit.unasked for audit in found)
    print(
        f"{asked} packages audited, {unsafe} known flaws{', and not all could be asked about' if unasked else ''}."
    )
    return 1 if unsafe else 2 if unasked else 0


if __name__ == "__main__":
    sys.exit(report(audits()))
