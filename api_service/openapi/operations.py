"""One call as an Operation Object (https://spec.openapis.org/oas/v3.1.0#operation-object)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from api_service.auth.helpers import Guard
from api_service.documented import Call, Parameter
from api_service.openapi.components import JSON, Components
from api_service.problem_kinds import ProblemKind

_SECURITY: Final[Mapping[Guard | None, list[dict[str, list[str]]]]] = {
    None: [],
    Guard.REFRESH_TOKEN: [{"refreshToken": []}],
    Guard.SESSION_COOKIE: [{"sessionCookie": []}],
}
"""Where it is not the token that the document asks for in general."""


def operation_of(
    call: Call, guard: Guard | None, kinds: Mapping[HTTPStatus, tuple[ProblemKind, ...]], components: Components
) -> dict[str, Any]:
    """The call with its parameters, its body and its answers; what calls share is added to `components`."""
    operation: dict[str, Any] = {"operationId": call.operation_id, "tags": [call.tag.value], "summary": call.summary}
    if call.description:
        operation["description"] = call.description
    if guard in _SECURITY:
        operation["security"] = _SECURITY[guard]
    if call.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in call.parameters]
    if call.body:
        content = {JSON: {"schema": call.body, "example": call.body_example}}
        operation["requestBody"] = {"required": True, "content": content}
    answers = {str(int(answer.status)): components.answer(answer) for answer in call.answers}
    refusals = {str(int(status)): components.problem_answer(status, kinds[status]) for status in kinds}
    operation["responses"] = dict(sorted((answers | refusals).items()))
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
    }
    if parameter.schema.get("type") == "array":
        described |= {"style": "form", "explode": False}
    described["schema"] = dict(parameter.schema)
    if parameter.example is not None:
        described["example"] = parameter.example
    return described
