"""GET /healthz: this process answers. It asks nobody else, so that a broker's outage restarts no container of ours."""

from flask import Blueprint

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}
