"""Errors that nobody caught, and those that were logged, go to an error tracker where one is configured."""

from __future__ import annotations

from capakraken.settings import Settings


def report_errors(settings: Settings) -> None:
    """Send errors to ``SENTRY_DSN``; the SDK reads SENTRY_RELEASE and SENTRY_ENVIRONMENT by itself."""
    if settings.sentry_dsn is None:
        return
    import sentry_sdk

    # A traceback's variables and a request's body may hold passwords, and nobody needs them to find a bug.
    sentry_sdk.init(dsn=settings.sentry_dsn, include_local_variables=False, max_request_body_size="never")
