"""GET /api/v1/providers: how the providers are doing, for super users, as the stock service sees it that answers."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service.auth.helpers import admin_required
from api_service.documented import Answer, Call, Tag, documented, list_of
from api_service.problem_kinds import STOCK_SERVICE
from api_service.resources.asking import ask
from api_service.resources.schemas import ProviderStatusBody
from api_service.services import services

blueprint = Blueprint("providers", __name__)
_PROVIDERS: Final = ProviderStatusBody(many=True)
_EXAMPLE: Final = {
    "name": "stooq",
    "enabled": True,
    "breaker": "open",
    "retry_in": 540,
    "last_success": None,
    "last_failure": "2021-11-12T21:14:00Z",
    "last_failure_kind": "retired",
    "successes": 0,
    "failures": 3,
    "failures_by_kind": {"retired": 2, "timeout": 1},
}


@blueprint.get("/providers")
@documented(
    Call(
        "providers",
        "How the quote providers are doing",
        Tag.SUPER_USERS,
        (
            Answer(
                "Those that are asked first, in their order, as the stock service that answers sees them",
                list_of(ProviderStatusBody),
                example=[_EXAMPLE],
            ),
        ),
        problems=STOCK_SERVICE,
    )
)
@admin_required
def providers() -> Response:
    return jsonify(_PROVIDERS.dump(ask(services().stock_client.provider_status)))
