"""More commands than a person is allowed: refused in plain words, with nothing changed, and only for that person."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.conf import settings as django_settings

from backend.api import command_rate
from backend.api.command_rate import FORGET_ABOVE, Allowances
from backend.config.traffic_settings import Rate, traffic_settings
from tests.integration.api.support import Person, problem_of

PATH = "/api/presets/"


@pytest.fixture
def two_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        django_settings, "TRAFFIC", replace(django_settings.TRAFFIC, command_rate=Rate(2, 3600.0))
    )
    monkeypatch.setattr(command_rate, "_allowances", None)


def test_the_next_command_is_refused_and_changes_nothing(two_an_hour: None, ann: Person, bob: Person) -> None:
    for name in ("one", "two"):
        assert ann.ask("POST", PATH, {"name": name}).status_code == 201
    answer = ann.ask("POST", PATH, {"name": "three"})
    problem = problem_of(answer, 429)
    assert problem["code"] == "too_many_requests"
    assert problem["detail"] == (
        "This was more at a time than this installation allows one person. Nothing was done; try again in 30 minutes."
    )
    assert 1790 <= int(answer.headers["Retry-After"]) <= 1800
    # Reading is not counted, and others are not concerned.
    assert [preset["name"] for preset in ann.get(PATH)["results"]] == ["one", "two"]
    assert bob.ask("POST", PATH, {"name": "three"}).status_code == 201


def test_what_was_used_up_comes_back_evenly() -> None:
    now = [0.0]
    allowances = Allowances(3, 60.0, lambda: now[0])
    assert [allowances.take("ann") for _ in range(4)] == [0, 0, 0, 20.0]
    now[0] = 19.0
    assert allowances.take("ann") == pytest.approx(1.0)
    now[0] = 20.0
    assert allowances.take("ann") == 0
    assert allowances.take("ann") > 0
    now[0] = 1000.0
    assert [allowances.take("ann") for _ in range(4)] == [0, 0, 0, 20.0]


def test_threads_share_one_allowance() -> None:
    allowances = Allowances(50, 3600.0)
    let_through: list[float] = []
    threads = [
        threading.Thread(target=lambda: let_through.extend(allowances.take("ann") for _ in range(30)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(let_through), let_through.count(0.0)) == (240, 50)


def test_people_who_were_not_seen_for_long_are_forgotten() -> None:
    now = [0.0]
    allowances = Allowances(1, 60.0, lambda: now[0])
    for number in range(FORGET_ABOVE):
        allowances.take(f"early {number}")
    now[0] = 61.0
    allowances.take("late")
    assert len(allowances._left) == 1
    assert allowances.take("late") > 0


@pytest.mark.parametrize(
    ("text", "rate"),
    [("", Rate(600, 60.0)), ("5/s", Rate(5, 1.0)), ("10/H", Rate(10, 3600.0)), ("off", None)],
)
def test_the_setting_says_how_many(text: str, rate: Rate | None) -> None:
    found, problems = traffic_settings({"COMMAND_RATE": text})
    assert (found.command_rate, problems) == (rate, [])


@pytest.mark.parametrize("text", ["0/m", "many", "5/w", "-1/s", "5"])
def test_another_text_is_refused(text: str) -> None:
    assert traffic_settings({"COMMAND_RATE": text})[1] == [
        f"COMMAND_RATE is {text!r}; expected a number per s, m, h or d, such as 600/m, or off."
    ]


def test_a_token_for_figures_is_long_enough() -> None:
    assert traffic_settings({"METRICS_TOKEN": "x" * 16})[0].metrics_token == "x" * 16
    for text in ("short", "ünprintable-in-a-header"):
        [problem] = traffic_settings({"METRICS_TOKEN": text})[1]
        assert problem.startswith(f"METRICS_TOKEN has {len(text)} characters; expected at least 16")


def test_proxies_are_addresses_and_networks() -> None:
    found, problems = traffic_settings({"TRUSTED_PROXIES": "192.0.2.10, 10.0.0.0/8 ::1"})
    assert (found.trusted_proxies, problems) == (("192.0.2.10", "10.0.0.0/8", "::1"), [])
    for text in ("*", "proxy.example.org", "10.0.0.1/8"):
        [problem] = traffic_settings({"TRUSTED_PROXIES": text})[1]
        assert problem.startswith(f"TRUSTED_PROXIES names {text!r}: ")
