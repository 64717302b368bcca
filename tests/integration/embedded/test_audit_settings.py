"""The settings of the transparency log: read, checked, and never shown where they are secret."""

from __future__ import annotations

import pytest

from backend.audit.notes import Signer
from backend.config.environment import REPOSITORY_ROOT
from tests.integration.embedded.test_environment import load, problem

SIGNER = Signer.make("example.com/log")


def test_without_settings_the_key_is_the_installations_own_and_nothing_is_handed_out() -> None:
    audit = load().audit
    assert (audit.signing_key, audit.retired_keys, audit.checkpoint_file, audit.checkpoint_url) == (
        "",
        (),
        None,
        "",
    )


def test_keys_and_places_are_read() -> None:
    other = str(Signer.make("example.com/log").verifier)
    audit = load(
        AUDIT_SIGNING_KEY=SIGNER.secret_text(),
        AUDIT_RETIRED_KEYS=f"{SIGNER.verifier}, {other}",
        AUDIT_CHECKPOINT_FILE="kept/checkpoints.txt",
        AUDIT_CHECKPOINT_URL="https://user:secret@example.org/checkpoints",
    ).audit
    assert audit.signing_key == SIGNER.secret_text()
    assert audit.retired_keys == (str(SIGNER.verifier), other)
    assert audit.checkpoint_file == REPOSITORY_ROOT / "kept/checkpoints.txt"
    assert audit.checkpoint_url.endswith("/checkpoints")
    assert SIGNER.secret_text() not in repr(audit)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AUDIT_SIGNING_KEY", "nonsense", "expected PRIVATE+KEY+name+hash+base64"),
        ("AUDIT_SIGNING_KEY", SIGNER.secret_text()[:-4], "not one for Ed25519"),
        ("AUDIT_RETIRED_KEYS", "nonsense", "not a verifier key"),
        ("AUDIT_CHECKPOINT_FILE", "a\0b", "NUL"),
        ("AUDIT_CHECKPOINT_URL", "example.org/x", "expected http:// or https://"),
        ("AUDIT_CHECKPOINT_URL", "file:///etc/x", "expected http:// or https://"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_shown(name: str, value: str, said: str) -> None:
    message = problem(**{name: value})
    assert name in message
    assert said in message
    assert SIGNER.secret_text()[-40:-8] not in message
