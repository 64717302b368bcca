"""What the tests of log-in through another service share: going there and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.integration.accounts.conftest import Visitor

CALLBACK = "/accounts/oidc/login/callback/"


def begin(visitor: Visitor, process: str = "login") -> Any:
    visitor.config()
    return visitor.send("POST", "/api/sign-on/", {"process": process})


def come_back(visitor: Visitor, begun: Any) -> Any:
    """Go to the service and back, as a browser does; the answer of the callback."""
    assert begun.status_code == 200, begun.content
    sent = requests.get(begun.json()["url"], allow_redirects=False, timeout=10)
    back = urlsplit(sent.headers["Location"])
    assert back.path == CALLBACK
    return visitor.client.get(f"{back.path}?{back.query}")


def sign_on(visitor: Visitor, process: str = "login") -> str:
    """All of it; the error with which the browser lands, or an empty text."""
    answer = come_back(visitor, begin(visitor, process))
    assert answer.status_code == 302
    landed = urlsplit(answer.headers["Location"])
    assert landed.path == ("/login" if process == "login" else "/settings/log-in")
    query = parse_qs(landed.query)
    assert query["from"] == ["service"]
    return str(query.get("error", [""])[0])
