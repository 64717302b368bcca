"""An authenticator app: the code of six digits for a secret and a moment (RFC 6238). Knows nothing of the product."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

PERIOD_S = 30


def code_for(secret: str, at: float | None = None) -> str:
    """The code that holds now. Never one of a period's last seconds, which would be over before it is looked at."""
    if at is None:
        if time.time() % PERIOD_S > PERIOD_S - 4:
            time.sleep(PERIOD_S + 0.1 - time.time() % PERIOD_S)
        at = time.time()
    counter = int(at) // PERIOD_S
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def next_code_for(secret: str) -> str:
    """The code after the one that holds now, as soon as it does: each works once."""
    time.sleep(PERIOD_S + 0.1 - time.time() % PERIOD_S)
    return code_for(secret)
