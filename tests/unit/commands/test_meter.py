"""How long commands show their progress, on a terminal and elsewhere."""

from __future__ import annotations

from io import StringIO

from backend.commands.meter import Meter


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_counts_and_rate_on_one_line() -> None:
    terminal = Terminal()
    meter = Meter("transcript", terminal, unit="events")

    meter.show(0.5, 1500)
    meter.show(1.0, 3000)
    meter.close()

    _, first, last = terminal.getvalue().split("\r")
    assert first.startswith("transcript  " + "█" * 15 + "░" * 15 + "   50%  1,500 events  ")
    assert first.rstrip("\x1b[K").endswith("/s")
    assert last.startswith("transcript  " + "█" * 30 + "  100%  3,000 events  ")
    assert terminal.getvalue().endswith("\n")
    assert terminal.getvalue().count("\n") == 1


def test_a_log_gets_a_line_now_and_then_only() -> None:
    log = StringIO()
    meter = Meter("transcript", log, unit="events")
    meter.show(0.5, 1)
    assert log.getvalue() == ""

    meter._shown_at -= 60
    meter.show(0.5, 1)
    meter.show(1.0, 2)
    meter.close()

    assert log.getvalue().count("\n") == 1
    assert log.getvalue().startswith("transcript:  50%  1 events  ")
