"""How often somebody may do something, and whose word is taken for who they are: rates, and the proxies before us.

Only reads settings; what is done with them is for the web process.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TRAFFIC_SETTING_NAMES: Final = ("TRUSTED_PROXIES", "COMMAND_RATE")
DEFAULT_COMMAND_RATE: Final = "600/m"
_RATE: Final = re.compile(r"([1-9][0-9]{0,6})/([smhd])")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Rate:
    """So many times within so many seconds."""

    times: int
    seconds: float


@dataclass(frozen=True)
class TrafficSettings:
    """trusted_proxies: addresses and networks. command_rate: for each person and web process; None for no limit."""

    trusted_proxies: tuple[str, ...]
    command_rate: Rate | None


def traffic_settings(raw: Mapping[str, str]) -> tuple[TrafficSettings, list[str]]:
    """The settings, and one line for each problem with them. raw: texts by name; an empty one stands for its default."""
    problems: list[str] = []
    proxies = tuple(place for place in re.split(r"[\s,]+", raw.get("TRUSTED_PROXIES", "")) if place)
    for place in proxies:
        try:
            ipaddress.ip_network(place)
        except ValueError as error:
            problems.append(
                f"TRUSTED_PROXIES names {place[:60]!r}: {error}. Expected IP addresses and networks, separated by commas, such "
                "as 192.0.2.10, 10.0.0.0/8."
            )
    text = raw.get("COMMAND_RATE", "").lower() or DEFAULT_COMMAND_RATE
    rate: Rate | None = None
    if match := _RATE.fullmatch(text):
        rate = Rate(int(match[1]), _SECONDS[match[2]])
    elif text != "off":
        problems.append(
            f"COMMAND_RATE is {text[:40]!r}; expected a number per s, m, h or d, such as {DEFAULT_COMMAND_RATE}, or off."
        )
    return TrafficSettings(proxies, rate), problems
