"""Writes docs/openapi.json: the document that the API answers with at /api/v1/openapi.json, for people and for diffs.

    python3 -m scripts.write_openapi

A test says when it is out of date.
"""

import json
from pathlib import Path

from flask import Flask

from api_service import resources
from api_service.openapi import document_of

FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def openapi_text() -> str:
    """The whole file; an application with routes and nothing behind them is enough."""
    app = Flask("api_service", static_folder=None)
    resources.init_app(app)
    return json.dumps(document_of(app), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(openapi_text(), encoding="utf-8")
