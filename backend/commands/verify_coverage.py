"""`manage.py verify coverage`: every started attempt has one end, every call one final end, every reply one record."""

from __future__ import annotations

from collections import Counter
from typing import Any, TextIO

from backend import bootstrap
from backend.audit.coverage import TOPICS, CoverageCheck
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.commands.printable import printable
from backend.model_calls.queue import queued_calls
from backend.transparency.reading import Snapshot


def verify_coverage(stdout: Any, stderr: TextIO) -> bool:
    """Write a line for each problem and a summary. Returns whether everything holds. Raises CommandError."""
    problems: Counter[str] = Counter()
    with plain_database_errors(), Snapshot.open(bootstrap.database_url()) as snapshot:
        total = snapshot.count_events_of(TOPICS)
        meter = Meter("coverage", stderr, unit="events")
        check = CoverageCheck(queued_calls(snapshot.connection))
        try:
            done = 0

            def shown() -> Any:
                nonlocal done
                for events in snapshot.streams_of(TOPICS):
                    done += len(events)
                    meter.show(min(1.0, done / max(total, 1)), done)
                    yield events

            for problem in check.run(shown()):
                problems[problem.kind] += 1
                meter.interrupt()
                stdout.write(printable(str(problem)))
        finally:
            meter.close()
    stdout.write(_summary(check, problems, meter.seconds))
    return not problems


def _summary(check: CoverageCheck, problems: Counter[str], seconds: float) -> str:
    ends = ", ".join(
        f"{times:,} {name.removeprefix('ModelCall').lower()}" for name, times in sorted(check.ends.items())
    )
    parts = [f"{check.attempts:,} attempts ({ends or 'none ended'})", f"{check.replies:,} replies"]
    if check.running:
        parts.append(f"{check.running:,} under way")
    if check.erased:
        parts.append(f"{check.erased:,} erased")
    parts += [f"{count:,} wrong ({kind})" for kind, count in sorted(problems.items())]
    if not problems:
        parts.append("each has its one end")
    return f"{check.calls:,} calls: {', '.join(parts)}. {seconds:.1f} s."
