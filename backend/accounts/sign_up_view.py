"""Sign-up in the place of allauth's: where it is closed, it is closed for every address.

allauth looks at the address first, and would tell strangers which ones have an account here. Attempts are counted
before either, so that nobody can try out setup codes.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.headless.account.views import SignupView
from allauth.headless.base.response import ForbiddenResponse


class SignUpView(SignupView):
    def handle_input(self, data: Any) -> Any:
        if self.request.method == "POST" and not get_adapter().is_open_for_signup(self.request):
            return ForbiddenResponse(self.request)
        return super().handle_input(data)
