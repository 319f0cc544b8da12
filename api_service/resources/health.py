"""GET /healthz and GET /readyz: whether this process is alive, and whether requests should be sent to it.

/healthz asks nobody else, so that an outage of another part restarts no container of ours.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from api_service import readiness
from api_service.documented import Answer, Call, Tag, documented
from api_service.readiness import State

blueprint = Blueprint("health", __name__)


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema of an object with all of `properties` and nothing else."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _one_of(*states: State) -> dict[str, Any]:
    return {"enum": [state.value for state in states]}


def _readiness(status: State) -> dict[str, Any]:
    checks = _object(
        database=_one_of(State.OK, State.UNAVAILABLE),
        schema=_one_of(State.OK, State.OUTDATED, State.UNKNOWN, State.UNAVAILABLE),
        stock_service=_one_of(State.OK, State.UNAVAILABLE),
    )
    return _object(status={"const": status.value}, checks=checks)


_READY: Final = {"database": "ok", "schema": "ok", "stock_service": "ok"}
_NOT_READY: Final = {"database": "unavailable", "schema": "unknown", "stock_service": "ok"}


@blueprint.get("/healthz")
@documented(
    Call(
        "health",
        "This process answers",
        Tag.SERVICE,
        (Answer("It answers", _object(status={"const": "ok"}), example={"status": "ok"}),),
        asks_database=False,
    )
)
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@blueprint.get("/readyz")
@documented(
    Call(
        "readiness",
        "Whether requests should be sent to this process",
        Tag.SERVICE,
        (
            Answer("They should", _readiness(State.OK), example={"status": "ok", "checks": _READY}),
            Answer(
                "They should not, until the database can be reached and has the tables of this version",
                _readiness(State.UNAVAILABLE),
                example={"status": "unavailable", "checks": _NOT_READY},
                status=HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        ),
        description=(
            "For load balancers; it is answered within 3 seconds. Each process looks once a second at most. The stock "
            "service is told of and does not decide: without it there are still log-ins, accounts and histories."
        ),
        asks_database=False,
    )
)
def readyz() -> Response:
    checks = readiness.checks()
    ready = readiness.is_ready(checks)
    response = jsonify(status=State.OK if ready else State.UNAVAILABLE, checks=checks)
    response.status_code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return response
