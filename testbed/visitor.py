"""A visitor of the example who signs in."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request

from testbed.addresses import require_testbed_address

#: The settings that make the first administrator, and what to sign in with.
ADMINISTRATOR = {"ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": "correct-horse"}


def sign_in(url: str) -> str:
    """Sign in as the administrator; return the cookie to send with each request."""
    require_testbed_address(url)
    form = {"email": ADMINISTRATOR["ADMIN_EMAIL"], "password": ADMINISTRATOR["ADMIN_PASSWORD"]}
    request = urllib.request.Request(f"{url}/sign-in", urllib.parse.urlencode(form).encode())
    try:
        answer = urllib.request.build_opener(_Stay).open(request, timeout=10)
    except urllib.error.HTTPError as error:  # a redirect that was not followed
        answer = error
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **options: object) -> None:
        return None
