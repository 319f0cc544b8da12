"""GET /healthz: this process answers. It asks nobody else, so that a broker's outage restarts no container of ours."""

from flask import Blueprint

from api_service.documented import Answer, Call, Tag, documented

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@documented(
    Call(
        "health",
        "This process answers",
        Tag.SERVICE,
        (
            Answer(
                "It answers",
                {
                    "type": "object",
                    "required": ["status"],
                    "additionalProperties": False,
                    "properties": {"status": {"const": "ok"}},
                },
                example={"status": "ok"},
            ),
        ),
        asks_database=False,
    )
)
def healthz() -> dict[str, str]:
    return {"status": "ok"}
