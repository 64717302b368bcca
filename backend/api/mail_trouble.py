"""What somebody is told who waits for a mail that could not be sent. The log says more, for whoever runs the installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from backend.accounts.adapter import MailNotSent
from backend.api.problems import plain_problem

_TOLD: Final = (
    "The email could not be sent: the mail server did not take it. Try again in a few minutes; if that does not help, "
    "tell whoever runs this installation."
)


class MailTroubleMiddleware:
    """Answers 503 with the code mail_not_sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return plain_problem(503, "mail_not_sent", _TOLD) if isinstance(exception, MailNotSent) else None
