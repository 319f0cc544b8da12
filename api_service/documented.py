"""What is said of a call: `@documented` attaches it to the view, and `api_service.openapi` makes the document of it.

What follows from the code is not said again: the answers to a bad token, to too many calls, to a body that is no JSON,
and to an outage of the database; see `api_service.openapi.problems`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

from marshmallow import Schema

View = TypeVar("View", bound=Callable[..., Any])
Body = type[Schema] | Mapping[str, Any]
"""A schema that makes or checks the body, or JSON Schema, in which such schemas may stand."""

_ATTRIBUTE: Final = "documented_call"


class Tag(StrEnum):
    """The chapters of the document, in their order."""

    SESSION = "Session"
    QUOTES = "Quotes"
    USERS = "Users"
    SUPER_USERS = "Super users"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Stands next to the code that reads it. A list is one text with commas; everything stands there once."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON Schema."""
    place: Literal["query", "path", "header"] = "query"
    required: bool = False
    example: Any = None
    refused_as: str | None = "invalid-parameter"
    """The problem, when it is not what it should be; None: whatever it is, nobody minds."""


@dataclass(frozen=True, slots=True)
class Header:
    """Of an answer. The document knows it by its name, so two of one name are equal."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON Schema."""
    always: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One that is no problem."""

    description: str
    body: Body | None = None
    headers: tuple[Header, ...] = ()
    example: Any = None
    status: HTTPStatus = HTTPStatus.OK
    other_media: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What may come instead of JSON: JSON Schema by media type."""


@dataclass(frozen=True, slots=True)
class Call:
    """All that a reader has to know of a call beyond its address and its guard."""

    operation_id: str
    summary: str
    tag: Tag
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: type[Schema] | None = None
    body_example: Any = None
    problems: tuple[str, ...] = ()
    """Slugs from `problem_kinds`, without those that follow from the code."""
    description: str = ""
    asks_database: bool = True


def documented(call: Call) -> Callable[[View], View]:
    """Attach `call` to a view. Stands between the route and the guard."""

    def attach(view: View) -> View:
        vars(view)[_ATTRIBUTE] = call
        return view

    return attach


def call_of(view: Callable[..., Any]) -> Call | None:
    """What was attached; None: nothing."""
    call: Call | None = vars(view).get(_ATTRIBUTE)
    return call


def list_of(items: Body, *, at_least: int = 0, at_most: int | None = None) -> dict[str, Any]:
    """A JSON array of `items`."""
    low = {"minItems": at_least} if at_least else {}
    high = {} if at_most is None else {"maxItems": at_most}
    return {"type": "array", **low, **high, "items": items}
