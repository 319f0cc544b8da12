"""The bodies in the document: the schemas that check and make them, by the marshmallow plugin; and the problem's."""

from typing import Any, Final, cast

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from apispec.ext.marshmallow.openapi import OpenAPIConverter

from api_service.resources.body_fields import JsonText, UtcMoment, UtcSeconds
from api_service.resources.schemas import BodySchema

PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "pattern": "^/problems/[a-z-]+$",
            "description": "Names the kind of problem for programs",
        },
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "Says what to do"},
        "request_id": {"type": "string"},
        "errors": {"type": "object", "description": "With invalid-body: what is wrong with each field"},
    },
    "example": {
        "type": "/problems/symbol-not-found",
        "title": "Unknown symbol",
        "status": 404,
        "detail": "There is no quote for this symbol. Check the code; a US stock looks like aapl.us.",
        "request_id": "0f3b1c9f5d0e4e6f8a7b6c5d4e3f2a1b",
    },
}
"""What `service_kit.problems.Problem` answers."""


class _Converter(OpenAPIConverter):
    field_mapping = OpenAPIConverter.field_mapping | {
        UtcSeconds: ("string", "date-time"),
        UtcMoment: ("string", "date-time"),
        JsonText: (None, None),  # its metadata says what it is
    }

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        of_fields: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        return of_fields | _class_of(schema).beside_the_fields


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


def marshmallow_plugin() -> MarshmallowPlugin:
    """One that knows our fields; a schema `UserBody` is `User` in the document."""
    return _Plugin(schema_name_resolver=lambda schema: _class_of(schema).__name__.removesuffix("Body"))


def _class_of(schema: Any) -> type[BodySchema]:
    """Of a schema, or the class that it is."""
    return cast("type[BodySchema]", resolve_schema_cls(schema))
