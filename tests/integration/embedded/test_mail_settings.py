"""The settings of mail: read, checked, and never shown where they are secret."""

from __future__ import annotations

import pytest

from backend.config.mail_settings import MailSettings, mail_backend, mail_settings


def settings(url: str = "", sender: str = "") -> tuple[MailSettings, list[str]]:
    return mail_settings({"EMAIL_URL": url, "EMAIL_FROM": sender})


def test_without_settings_no_mail_is_sent() -> None:
    mail, problems = settings()
    assert (mail.is_sent, problems) == (False, [])
    assert mail_backend(mail) == {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp://mail.example.org", 25, False, False),
        ("smtps://ada%40example.org:p%40ss@mail.example.org", 465, False, True),
        ("smtp+tls://ada%40example.org:p%40ss@mail.example.org", 587, True, False),
        ("SMTP+TLS://ada%40example.org:p%40ss@mail.example.org:2525", 2525, True, False),
    ],
)
def test_a_mail_server_is_taken_from_its_address(url: str, port: int, tls: bool, ssl: bool) -> None:
    mail, problems = settings(url, "Verbatim <verbatim@example.org>")
    assert (mail.sender, problems) == ("Verbatim <verbatim@example.org>", [])
    found = mail_backend(mail)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.org", port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (tls, ssl)
    assert found["EMAIL_HOST_PASSWORD"] == ("p@ss" if "@mail" in url else "")
    assert "p@ss" not in repr(mail)
    assert "p%40ss" not in repr(mail)


def test_mails_come_from_the_user_of_the_server_if_nobody_else_is_named() -> None:
    assert settings("smtps://ada%40example.org:x@mail.example.org")[0].sender == "ada@example.org"
    assert settings("console://")[0].sender == "verbatim@localhost"


@pytest.mark.parametrize(
    ("url", "sender", "said"),
    [
        ("", "verbatim@example.org", "EMAIL_FROM is set, but EMAIL_URL is empty."),
        ("mail.example.org", "", "EMAIL_URL has the scheme 'mail.example.org'"),
        ("smtp://", "verbatim@example.org", "EMAIL_URL names no mail server"),
        (
            "smtp://mail.example.org:none",
            "verbatim@example.org",
            "EMAIL_URL names no mail server, or no port",
        ),
        ("smtp://mail.example.org:0", "verbatim@example.org", "EMAIL_URL names no mail server, or no port"),
        ("smtp://ada:secret@mail.example.org", "", "EMAIL_FROM is empty, and the user in EMAIL_URL"),
        ("smtp://mail.example.org", "verbatim", "EMAIL_FROM is 'verbatim'"),
        ("smtp://mail.example.org", "a@example.org\nBcc: all@example.org", "EMAIL_FROM is "),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_password(url: str, sender: str, said: str) -> None:
    mail, problems = settings(url, sender)
    assert not mail.is_sent
    [line] = problems
    assert line.startswith(said)
    assert "secret" not in line
