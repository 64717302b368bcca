"""Every way in which a model runner fails, as one table: the tests play it, and docs/failures.md is made from it.

`python -m tests.acceptance.failure_cases --write` writes the page anew; without `--write` it is only compared. A
row of the page can therefore not say anything that the product was not seen to do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from backend.model_runner.runner_settings import FIRST_TOKEN_TIMEOUT_S, SILENCE_TIMEOUT_S
from tests.acceptance.cases_before_the_first_word import CONNECTING, CONTEXT, REFUSALS, WAITING
from tests.acceptance.cases_of_differences import DIFFERENCES, REFUSED
from tests.acceptance.cases_while_writing import BREAKING, CANCELLING, ERRORS_INSIDE
from tests.acceptance.failure_case import FailureCase, RefusedBefore, Section

SECTIONS: Final = (CONNECTING, WAITING, CONTEXT, REFUSALS, ERRORS_INSIDE, BREAKING, CANCELLING, DIFFERENCES)
CASES: Final = tuple(case for section in SECTIONS for case in section.cases)
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "failures.md"
COMMAND: Final = "python -m tests.acceptance.failure_cases --write"

_BEFORE: Final = """# What happens when a model runner fails

Model runners are programs that load gigabytes, run out of memory, are restarted, and speak one protocol in many dialects. This
page lists how they fail, what Verbatim remembers of it, what you see, and whether it asks again by itself. Each row is a test that
plays the failure over a real connection through the whole product (`tests/acceptance/test_runner_failures.py`); the page is made
from the same data (`{command}`), and a test fails when the two differ.

What happens when a part of Verbatim itself fails is in [crash-safety.md](crash-safety.md).

## What holds in every case

- **Your message is stored before any runner is asked.** No failure of a runner can take it.
- **Every reply ends, with exactly one outcome.** `complete`: the runner said why it stopped. `truncated`: it stopped at a limit.
  `interrupted`: it broke off after its first word. `cancelled`: somebody stopped it. `failed`: an error, or no word at all.
- **Text that was shown is kept**, whatever came after it, and so are reasoning and tool calls. The reply is marked with its outcome and the
  reason; it is never shortened, hidden or passed off as complete.
- **Every attempt is recorded** with its times, its end, the runner's HTTP status and its error: below a reply, “What did the model see?”.
- **You can always ask again.** “Retry” asks for another reply beside the one that failed; “Continue” goes on from the text of
  one that broke off.

## When it is tried again

An attempt is made again by itself only where **nothing had come** and **asking again repeats nothing**: the runner could not be reached, or it
said that it is loading, busy or not ready. After anything else the runner may have begun to work, and an answer might be paid for
or carried out twice; then the choice is yours.

| The runner | is asked again |
|---|---|
| cannot be reached | 2 more times, after 0.5 and 2 s |
| is loading its model (HTTP 503) | for about 5 minutes, after 1, 2, 4, 8, 16 and then every 30 s |
| is busy (HTTP 429) or not ready (HTTP 503) | 4 more times, after 1, 2, 4 and 8 s |

Where the runner says in `Retry-After` how long to wait, it is waited for so long, but never longer than 30 s. Each attempt is recorded as one of its own.
Meanwhile the page says what it waits for, and “Stop” ends the waiting at once. If the last attempt fails too, the reply has failed with that
attempt's error.

## How long a runner is waited for

A connection has to be there within 5 seconds, the first word within {first_token} (`MODEL_RUNNER_FIRST_TOKEN_TIMEOUT`), and each next piece
within {silence} (`MODEL_RUNNER_SILENCE_TIMEOUT`). These are the numbers in the texts below, where the runner is called `{runner}`.
"""
_BEFORE_REFUSED: Final = """
## What is never sent

Some runners take anything and answer with nonsense. What no model can answer is refused before it is stored, with HTTP 400.

| What was asked for | Code | What you see |
|---|---|---|
"""
_EXAMPLE_RUNNER: Final = "localhost:12434"


def words_of(
    case: FailureCase,
    runner: str,
    *,
    first_token_s: float = FIRST_TOKEN_TIMEOUT_S,
    silence_s: float = SILENCE_TIMEOUT_S,
) -> str:
    """The error's words as they are stored where `runner` (host and port) was asked; empty where there is no error."""
    return case.says.format(runner=runner, first_token=f"{first_token_s:g}", silence=f"{silence_s:g}")


def page() -> str:
    """The whole of docs/failures.md."""
    parts = [
        _BEFORE.format(
            command=COMMAND,
            runner=_EXAMPLE_RUNNER,
            first_token=f"{FIRST_TOKEN_TIMEOUT_S:g}",
            silence=f"{SILENCE_TIMEOUT_S:g}",
        )
    ]
    parts += map(_section, SECTIONS)
    parts.append(_BEFORE_REFUSED + "".join(map(_refused_row, REFUSED)))
    return "".join(parts)


def _section(section: Section) -> str:
    introduction = f"{section.introduction}\n\n" if section.introduction else ""
    head = "| What happens | What is stored | What you see | Tried again? |\n|---|---|---|---|\n"
    return f"\n## {section.title}\n\n{introduction}{head}" + "".join(map(_row, section.cases))


def _row(case: FailureCase) -> str:
    seen = case.page or words_of(case, _EXAMPLE_RUNNER) or "the reply"
    return _cells(case.happens, stored_words(case), seen, case.again)


def _refused_row(refused: RefusedBefore) -> str:
    return _cells(refused.happens, f"`{refused.code}`", refused.says)


def _cells(*cells: str) -> str:
    # Angle brackets would be taken for HTML, and bars for the end of a cell.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in cells)} |\n"


def stored_words(case: FailureCase) -> str:
    """Outcome, code, the runner's status, and which parts of the reply there are."""
    facts = [f"`{case.outcome}`"]
    if case.code is not None:
        facts.append(f"`{case.code}`" + (f" (HTTP {case.http_status})" if case.http_status else ""))
    kept = [
        name
        for name, there in (
            ("text", case.text),
            ("reasoning", case.reasoning),
            ("tool calls", case.tool_calls),
        )
        if there
    ]
    facts.append("the " + " and the ".join(kept) if kept else "no text")
    if case.attempts != 1:
        facts.append(f"{case.attempts or 'no'} attempts")
    if case.stored:
        facts.append(case.stored)
    return ", ".join(facts)


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is as it would be written."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.failure_cases", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/failures.md anew")
    if parser.parse_args(arguments).write:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"docs/failures.md differs from the cases. Write it anew: {COMMAND}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
