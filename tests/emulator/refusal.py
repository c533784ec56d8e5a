"""Refusal: why a request gets an error for an answer."""

from __future__ import annotations


class Refusal(Exception):
    """Ends the handling of a request; becomes an answer with one error."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        retry_after_seconds: int | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status  # HTTP
        self.code = code  # Cloudflare's
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.pointer = pointer  # JSON pointer to the field of the request that is wrong
