"""What the public services say about our packages is told as they said it, and silence is no answer."""

from __future__ import annotations

import json

import pytest

from tools.audit_dependencies import PYTHON_LISTS, Audit, read_npm_audit, read_pip_audit, report

SAFE = {"name": "django", "version": "5.2.19", "vulns": []}
UNSAFE = {
    "name": "urllib3",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
SKIPPED = {"name": "knox", "skip_reason": "Dependency not found on PyPI"}
NPM_METADATA = {"dependencies": {"total": 430}}


def pip(*packages: object) -> Audit:
    return read_pip_audit("requirements.txt", json.dumps({"dependencies": packages, "fixes": []}))


def test_a_flaw_is_named_with_the_version_that_has_it_no_more() -> None:
    assert pip(SAFE, UNSAFE) == Audit(
        2,
        (
            "urllib3 1.0 (requirements.txt): PYSEC-1, fixed in 1.1",
            "urllib3 1.0 (requirements.txt): PYSEC-2, fixed in no version yet",
        ),
        (),
    )


def test_a_package_that_nobody_knew_is_not_safe() -> None:
    found = pip(SAFE, SKIPPED)
    assert (found.asked, found.unsafe) == (1, ())
    assert found.unasked == ("requirements.txt: 1 of 2 packages. Dependency not found on PyPI",)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", "null"])
def test_no_answer_is_no_answer(text: str) -> None:
    assert read_pip_audit("requirements.txt", text).unasked == (
        "requirements.txt: pip-audit gave no answer.",
    )
    assert read_npm_audit(text).unasked == ("frontend: npm gave no answer.",)


def test_npm_tells_flaws_or_why_it_cannot() -> None:
    flaws = {"vite": {"severity": "high", "range": "<8.4"}}
    assert read_npm_audit(json.dumps({"metadata": NPM_METADATA, "vulnerabilities": flaws})) == Audit(
        430, ("vite (frontend): high, in <8.4",), ()
    )
    assert read_npm_audit(json.dumps({"message": "405 Method Not Allowed", "error": {}})) == Audit(
        0, (), ("frontend: npm gave no answer. 405 Method Not Allowed",)
    )


def test_the_exit_status_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([Audit(2, (), ())]) == 0
    assert capsys.readouterr().out == "2 packages audited, 0 known flaws.\n"
    assert report([Audit(2, (), ("frontend: npm gave no answer.",))]) == 2
    assert "not all could be asked about" in capsys.readouterr().out
    assert report([Audit(2, ("urllib3",), ("frontend",))]) == 1


def test_every_locked_list_is_asked_about() -> None:
    assert {"requirements.txt", "requirements-embedded.txt", "requirements-runner.txt"} <= set(PYTHON_LISTS)
    assert all(name.endswith(".txt") for name in PYTHON_LISTS)
