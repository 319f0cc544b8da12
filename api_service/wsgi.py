"""The application for servers: `flask run` in this folder, `gunicorn api_service.wsgi:app` anywhere."""

import click

from api_service.app import create_app
from api_service.schema import require_migrated
from api_service.settings import load_or_exit
from service_kit import tracing
from service_kit.logs import configure_logging

_settings = load_or_exit()
configure_logging(_settings.log_level, as_json=_settings.in_production)
tracing.start("api_service", _settings.traces_endpoint)
app = create_app(_settings)

# `flask db upgrade` loads this module too, and gunicorn has looked before it forked.
_command = click.get_current_context(silent=True)
if _command and _command.info_name == "run":
    require_migrated(app)
