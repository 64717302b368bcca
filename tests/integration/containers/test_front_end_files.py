"""What the front end's container sends by itself says the same as what the application sends."""

from __future__ import annotations

import re

from backend.config.environment import REPOSITORY_ROOT
from backend.config.security_headers import SECURITY_HEADERS

NGINX = REPOSITORY_ROOT / "frontend" / "nginx"


def test_the_security_headers_are_the_application_s() -> None:
    text = (NGINX / "security-headers.conf").read_text(encoding="utf-8")
    sent = dict(re.findall(r'^add_header (\S+) "([^"]*)" always;$', text, re.MULTILINE))
    assert sent == dict(SECURITY_HEADERS)


def test_every_place_that_adds_a_header_adds_the_security_headers_too() -> None:
    """`add_header` in a block takes away those of the block around it."""
    blocks = re.findall(
        r"location [^{]+\{(.*?)\n    \}", (NGINX / "default.conf.template").read_text(), re.DOTALL
    )
    adding = [block for block in blocks if "add_header" in block]
    assert len(adding) >= 5
    assert [block for block in adding if "security-headers.conf" not in block] == []


def test_no_log_quotes_a_request() -> None:
    """Lines of a lower level end with `request: "GET /api/search/?q=…"`."""
    assert re.findall(r"^\s*error_log (.*);$", (NGINX / "nginx.conf").read_text(), re.MULTILINE) == [
        "/dev/stderr crit"
    ]
