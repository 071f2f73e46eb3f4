"""One root error; its children are named by what the receiver should do. HTTP codes live in `api/` alone."""

from __future__ import annotations


class ServiceError(Exception):
    """Root of every error we raise on purpose.

    `code` is a stable English snake_case word for programs, `detail` a Russian sentence for a person
    that says what happened and what to do.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class InvalidRequest(ServiceError):
    """The request can never be served as it stands: change it."""


class Unauthorized(ServiceError):
    """No key, or one that is unknown or revoked: send a valid one."""


class Forbidden(ServiceError):
    """The caller is known and may see the thing, but not do this with it: ask for a higher role."""


class NotFound(ServiceError):
    """The thing does not exist, or this caller may not know that it does."""


class TooLarge(ServiceError):
    """The upload is over a limit: make it smaller."""


class TooSlow(ServiceError):
    """The request does not arrive as fast as it must: send it again over a better connection."""


class UnsupportedType(ServiceError):
    """No reader for this kind of file: convert it."""


class UnreadableDocument(ServiceError):
    """The file can never be read (encrypted, empty, not what it claims): do not retry."""


class StorageFull(ServiceError):
    """The disk has no room: free some, then repeat."""


class TryLater(ServiceError):
    """A part is down or busy: repeat after `retry_after_s` seconds."""

    def __init__(self, code: str, detail: str, *, retry_after_s: int) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class TooManyRequests(TryLater):
    """This caller asks more than its share: slow down."""


class Misconfigured(ServiceError):
    """A setting, a file or a program that the service needs is wrong or missing: mend it, then start again."""
