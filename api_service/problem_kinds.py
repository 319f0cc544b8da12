"""The kinds of problems that the API answers with: the table for readers, and the groups in which they come.

Where a problem is raised it gets its own words; a test compares slugs and statuses with this table.
"""

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """`type` in a problem document is `/problems/<slug>`."""

    status: HTTPStatus
    slug: str
    when: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


_KINDS: Final = (
    (400, "invalid-symbol", "the symbol is missing, malformed or there twice"),
    (
        400,
        "invalid-symbols",
        "a symbol of the list is malformed, there are none or too many, or the list is there twice",
    ),
    (400, "invalid-idempotency-key", "the Idempotency-Key is none or is there twice"),
    (400, "invalid-parameter", "another parameter is not what it should be or is there twice"),
    (400, "malformed-json", "the body is not JSON"),
    (400, "invalid-body", "the body is not what it should be; `errors` says where"),
    (400, "password-refused", "the new password is too short, too long or too easy to guess"),
    (400, "bad-request", "the Host is not one of ours"),
    (401, "login-failed", "the user name or the password is wrong, or the account is not active"),
    (401, "token-missing", "there is no token"),
    (401, "token-invalid", "the token is wrong or has ended"),
    (401, "token-expired", "the token has expired"),
    (401, "token-not-yet-valid", "the token comes from the future: the clocks of two servers differ"),
    (401, "csrf-missing", "the session's cookie came without X-CSRF-Token; nothing was done"),
    (401, "csrf-mismatch", "X-CSRF-Token is not that of the session; nothing was done"),
    (403, "super-users-only", "only super users may do this"),
    (403, "wrong-password", "the current password is wrong; nothing was changed"),
    (403, "cross-origin", "a page of another origin asks"),
    (404, "symbol-not-found", "no provider knows the symbol; never said of an outage"),
    (404, "user-not-found", "there is no such account"),
    (404, "not-found", "there is nothing at this address"),
    (405, "method-not-allowed", "this address does not take that method; `Allow` lists those it takes"),
    (409, "idempotency-key-reused", "the Idempotency-Key names another call; take a new one"),
    (409, "username-taken", "somebody has that name"),
    (409, "last-super-user", "it is the last active super user, and would no longer be one; nothing was changed"),
    (413, "request-entity-too-large", "the body has more than 16 KiB"),
    (415, "unsupported-media-type", "the body does not claim to be JSON"),
    (429, "rate-limited", "there were too many requests of this user or from this address"),
    (429, "too-many-exports", "as many exports as one process sends at a time are being sent already"),
    (429, "too-many-logins", "too many passwords were wrong, for this account or from this address"),
    (500, "internal-server-error", "there is a defect of ours; quote the request id"),
    (502, "upstream-error", "a provider failed"),
    (502, "upstream-bad-data", "a provider answered with something that is not a quote"),
    (502, "stock-service-error", "the stock service failed"),
    (502, "stock-service-incompatible", "the stock service is of another version"),
    (502, "stock-service-bad-reply", "the stock service answered with something that is not a quote"),
    (503, "broker-unavailable", "the broker is away"),
    (503, "stock-service-unavailable", "the stock service is away"),
    (503, "overloaded", "too much is asked at once"),
    (503, "upstream-quota", "a provider's limit is used up"),
    (503, "upstream-unavailable", "every provider is out"),
    (503, "database-unavailable", "the database is away"),
    (503, "history-not-saved", "what was found could not be saved"),
    (504, "stock-service-timeout", "the stock service took too long"),
    (504, "upstream-timeout", "the providers took too long"),
)
"""Status, slug, and when it is answered."""

KINDS: Final = MappingProxyType({slug: ProblemKind(HTTPStatus(status), slug, when) for status, slug, when in _KINDS})
"""By slug, in the order of the document."""

# What comes together.
TOKEN: Final = ("token-missing", "token-invalid", "token-expired", "token-not-yet-valid")
CSRF: Final = ("csrf-missing", "csrf-mismatch")
JSON_BODY: Final = ("malformed-json", "invalid-body", "request-entity-too-large", "unsupported-media-type")
PASSWORD_CHECK: Final = ("too-many-logins", "overloaded")
STOCK_SERVICE: Final = (
    "upstream-error",
    "upstream-bad-data",
    "stock-service-error",
    "stock-service-incompatible",
    "stock-service-bad-reply",
    "broker-unavailable",
    "stock-service-unavailable",
    "overloaded",
    "upstream-quota",
    "upstream-unavailable",
    "stock-service-timeout",
    "upstream-timeout",
)
EVERYWHERE: Final = ("bad-request", "internal-server-error")
