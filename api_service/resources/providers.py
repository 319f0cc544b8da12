"""GET /api/v1/providers: how the providers are doing, for super users, as the stock service sees it that answers."""

from typing import Final

from flask import Blueprint, Response, jsonify

from api_service.auth.helpers import admin_required
from api_service.resources.asking import ask
from api_service.resources.schemas import ProviderStatusBody
from api_service.services import services

blueprint = Blueprint("providers", __name__)
_PROVIDERS: Final = ProviderStatusBody(many=True)


@blueprint.get("/providers")
@admin_required
def providers() -> Response:
    return jsonify(_PROVIDERS.dump(ask(services().stock_client.provider_status)))
