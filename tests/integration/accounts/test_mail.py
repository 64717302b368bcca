"""Where mail is set up: new addresses are confirmed, lost passwords are helped by a link, and trouble with mail is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.core.cache import cache

from backend.config.mail_settings import MailSettings, mail_backend
from tests.integration.accounts.conftest import PASSWORD, PREFIX, Visitor
from tests.support.mail_server import MailServer, link_in, running_mail_server

ADA = "ada+x@example.org"
CONFIRM = "/account/verify-email/"
RESET = "/account/password/reset/key/"
NEW = "another-horse-battery-staple"


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        settings.MAIL_IS_SENT = True
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        settings.DEFAULT_FROM_EMAIL = "Verbatim <verbatim@example.org>"
        for name, value in mail_backend(MailSettings(server.url, "verbatim@example.org")).items():
            setattr(settings, name, value)
        yield server


def key_in(mails: MailServer, to: str, path: str) -> str:
    mail = mails.take(to)
    assert mail["From"] == "Verbatim <verbatim@example.org>"
    parts = urlsplit(link_in(mail))
    assert parts.netloc == "testserver"
    assert parts.path.startswith(path), parts.path
    return unquote(parts.path.removeprefix(path))


def confirm(visitor: Visitor, key: str) -> Any:
    visitor.config()
    return visitor.send("POST", f"{PREFIX}/auth/email/verify", {"key": key})


def test_the_page_can_know_whether_mails_are_sent(visitor: Visitor, mails: MailServer, settings: Any) -> None:
    assert visitor.client.get("/api/setup/").json()["mail"] is True
    settings.MAIL_IS_SENT = False
    assert visitor.client.get("/api/setup/").json()["mail"] is False


def test_a_new_person_is_in_once_the_address_is_confirmed(visitor: Visitor, mails: MailServer) -> None:
    assert visitor.sign_up(ADA).status_code == 401
    assert visitor.me().status_code == 401
    key = key_in(mails, ADA, CONFIRM)
    shown = visitor.client.get(f"{PREFIX}/auth/email/verify", headers={"X-Email-Verification-Key": key})
    assert shown.json()["data"]["email"] == ADA
    assert visitor.me().status_code == 401, "looking at the link confirms nothing"
    assert confirm(visitor, key).status_code == 200
    assert visitor.me().json()["email"] == ADA
    assert mails.mails == []


def test_a_link_opened_elsewhere_confirms_the_address_and_logs_nobody_in(
    new_visitor: Callable[[], Visitor], mails: MailServer
) -> None:
    new_visitor().sign_up(ADA)
    key = key_in(mails, ADA, CONFIRM)
    elsewhere = new_visitor()
    assert confirm(elsewhere, key).status_code == 401
    assert elsewhere.me().status_code == 401
    assert elsewhere.log_in(ADA).status_code == 200
    assert confirm(new_visitor(), key).status_code == 400, "it works once"


def test_a_lost_password_is_replaced_by_a_link(new_visitor: Callable[[], Visitor], mails: MailServer) -> None:
    ada = new_visitor()
    ada.sign_up(ADA)
    confirm(ada, key_in(mails, ADA, CONFIRM))
    later = new_visitor()
    later.config()
    asked = later.send("POST", f"{PREFIX}/auth/password/request", {"email": ADA})
    assert asked.status_code == 200
    key = key_in(mails, ADA, RESET)
    assert (
        later.send("POST", f"{PREFIX}/auth/password/reset", {"key": key, "password": NEW}).status_code == 401
    )
    assert new_visitor().log_in(ADA, PASSWORD).status_code == 400
    assert new_visitor().log_in(ADA, NEW).status_code == 200
    assert ada.me().status_code == 401, "sessions with the old password are over"


def test_only_the_mailbox_tells_whether_there_is_an_account(
    new_visitor: Callable[[], Visitor], mails: MailServer
) -> None:
    ada = new_visitor()
    ada.sign_up(ADA)
    confirm(ada, key_in(mails, ADA, CONFIRM))
    cache.clear()  # as after the three minutes in which an address gets no second mail
    stranger = new_visitor()
    assert stranger.sign_up(ADA).status_code == 401
    assert "There is one already" in mails.take(ADA).get_content()
    stranger.config()
    asked = stranger.send("POST", f"{PREFIX}/auth/password/request", {"email": "nobody@example.org"})
    assert asked.status_code == 200
    told = mails.take("nobody@example.org").get_content()
    assert "There is no account with this address" in told
    assert "http" not in told


@pytest.mark.parametrize("trouble", ["refused", "away"])
def test_a_mail_that_cannot_be_sent_is_told_and_can_be_sent_later(
    new_visitor: Callable[[], Visitor],
    mails: MailServer,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    if trouble == "refused":
        mails.refuse = f"550 no such user {ADA}"
    else:
        settings.EMAIL_PORT = 1
    with caplog.at_level(logging.INFO):
        answer = new_visitor().sign_up(ADA)
    assert (answer.status_code, answer.json()["code"]) == (503, "mail_not_sent")
    [line] = [record for record in caplog.records if "EMAIL_URL" in record.getMessage()]
    assert line.levelno == logging.ERROR
    assert ADA not in caplog.text
    # The account is there, and nobody is in; the next log-in sends another mail, without a pause.
    mails.refuse, settings.EMAIL_PORT = "", mails.port
    ada = new_visitor()
    assert ada.log_in(ADA).status_code == 401
    assert confirm(ada, key_in(mails, ADA, CONFIRM)).status_code == 200
    assert ada.me().json()["email"] == ADA


def test_subjects_are_short_and_say_nothing_of_other_sites(visitor: Visitor, mails: MailServer) -> None:
    visitor.sign_up(ADA)
    mail = mails.take(ADA)
    assert mail["Subject"] == "Confirm your email address"
    assert mail.get_content().splitlines()[-2:] == ["--", "Verbatim at testserver"]
    assert ADA in mail.get_content()
    assert "&" not in mail.get_content()
