"""docs/failures.md says what the cases say, and the cases say what the product's own sources say."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest

from backend.model_calls.retrying import LONGEST_WISH_S, PAUSES, PAUSES_OTHERWISE
from backend.model_runner.failures import LONGEST_RETRY_AFTER_S
from backend.model_runner.patience import RunnerTimeouts
from tests.acceptance import failure_cases
from tests.acceptance.failure_case import (
    AGAIN_BUSY,
    AGAIN_LOADING,
    AGAIN_UNREACHABLE,
    NOT_AGAIN,
    FailureCase,
)
from tests.acceptance.failure_cases import CASES, COMMAND, PAGE, main, page, stored_words, words_of
from tests.support.stack import REPOSITORY

FRONT_END = REPOSITORY / "frontend" / "src" / "features" / "transcript"


def seconds(pauses: tuple[float, ...]) -> str:
    """`1, 2 and 4 s`, and where the last one repeats, `1, 2 and then every 4 s`."""
    runs = [(pause, len(list(same))) for pause, same in groupby(pauses)]
    texts = [f"{pause:g}" for pause, _ in runs]
    then = " and then every " if runs[-1][1] > 1 else " and "
    return f"{', '.join(texts[:-1])}{then}{texts[-1]} s"


def test_the_page_is_what_the_cases_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it anew: {COMMAND}"


def test_the_command_tells_a_page_that_differs_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "failures.md"
    monkeypatch.setattr(failure_cases, "PAGE", copy)
    assert main([]) == 1
    assert COMMAND in capsys.readouterr().err
    assert main(["--write"]) == 0
    assert main([]) == 0
    copy.write_text(copy.read_text(encoding="utf-8") + "an old row\n", encoding="utf-8")
    assert main([]) == 1


def test_each_case_has_a_name_and_words_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.happens for case in CASES}) == len(CASES)
    assert [case.name for case in CASES if not case.happens.endswith((".", ")."))] == []


def test_what_is_said_of_pauses_is_what_the_worker_does() -> None:
    unreachable, loading, busy = PAUSES["runner_unreachable"], PAUSES["runner_loading"], PAUSES_OTHERWISE
    assert f"yes: {len(unreachable)} more times, after {seconds(unreachable)}" == AGAIN_UNREACHABLE
    assert f"yes: for about {sum(loading) / 60:.0f} minutes, after {seconds(loading)}" == AGAIN_LOADING
    assert AGAIN_BUSY.startswith(f"yes: {len(busy)} more times, after {seconds(busy)};")
    assert f"at most {LONGEST_WISH_S:g} s" in AGAIN_BUSY
    assert LONGEST_WISH_S == LONGEST_RETRY_AFTER_S
    for pauses in (unreachable, loading, busy):
        assert f"after {seconds(pauses)}" in page().partition("## How long")[0]


def test_what_is_said_of_waiting_is_what_the_client_does() -> None:
    timeouts = RunnerTimeouts()
    assert f"within {timeouts.connect:g} seconds, the first word within {timeouts.first_token:g} " in page()
    assert "within 5 seconds" in next(case.happens for case in CASES if case.name == "no connection")
    after_finish = next(case.happens for case in CASES if case.name == "open after the reason")
    assert f"after {timeouts.after_finish:g} seconds" in after_finish


def test_what_the_page_is_said_to_show_stands_in_the_page() -> None:
    source = "".join((FRONT_END / name).read_text(encoding="utf-8") for name in ("seal.js", "waiting.js"))
    for case in CASES:
        quoted = re.findall("“([^”]+)”", case.page)
        for words in quoted or [case.page]:
            if words and words != "an empty reply":
                assert words.rstrip("…") in source, case.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_agrees_with_itself(case: FailureCase) -> None:
    assert (case.code is None) == (case.says == ""), "a code has words, and words have a code"
    assert (case.code is None) == (case.outcome in ("complete", "cancelled"))
    assert (case.again != NOT_AGAIN) == (case.attempts > 1 or case.cancel == "pausing")
    assert len(case.pauses) == max(case.attempts - 1, 0)
    kept = words_of(case, "x").endswith(" The text up to there is kept.")
    assert kept == bool(case.code and (case.text or case.reasoning)), (
        "said where there is any, and only there"
    )
    assert stored_words(case) in page()
