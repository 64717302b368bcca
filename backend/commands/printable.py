"""Lines about what was found, for a terminal. What somebody wrote into the database must not move its cursor."""

from __future__ import annotations


def printable(text: str) -> str:
    """The same text in one line, with everything that is no visible sign written as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
