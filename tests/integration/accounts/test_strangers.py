"""What a stranger learns about who has an account here: where it can be helped, nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.accounts.conftest import PREFIX, Visitor

TAKEN, FREE = "ada@example.org", "free@example.org"


@pytest.fixture
def ada(visitor: Visitor) -> Visitor:
    assert visitor.sign_up(TAKEN).status_code == 200
    return visitor


def told(answer: Any, email: str) -> tuple[int, str]:
    """Status and body, with the address taken out that the stranger gave."""
    return answer.status_code, answer.content.decode().replace(email, "EMAIL")


def test_a_wrong_password_and_an_unknown_address_answer_alike(
    ada: Visitor, new_visitor: Callable[[], Visitor]
) -> None:
    answers = [told(new_visitor().log_in(email, "wrong-password"), email) for email in (TAKEN, FREE)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


def test_a_lost_password_is_asked_for_alike(ada: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    answers = []
    for email in (TAKEN, FREE):
        stranger = new_visitor()
        stranger.config()
        answers.append(
            told(stranger.send("POST", f"{PREFIX}/auth/password/request", {"email": email}), email)
        )
    assert answers[0] == answers[1]


def test_where_sign_up_is_closed_it_is_for_every_address(
    ada: Visitor, new_visitor: Callable[[], Visitor], settings: Any
) -> None:
    settings.SIGNUP = "closed"
    answers = [told(new_visitor().sign_up(email), email) for email in (TAKEN, FREE)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 403


def test_where_mail_is_set_up_only_the_mailbox_tells(
    ada: Visitor, new_visitor: Callable[[], Visitor], settings: Any
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    answers = [told(new_visitor().sign_up(email), email) for email in (TAKEN, FREE)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_asking_for_taken_addresses_is_counted_too(
    ada: Visitor, new_visitor: Callable[[], Visitor], settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "2/h/ip"}
    answers = [new_visitor().sign_up(TAKEN).status_code for _ in range(4)]
    assert answers == [400, 400, 429, 429]
