"""The application for servers: `flask run` in this folder, `gunicorn api_service.wsgi:app` anywhere."""

from api_service.app import create_app
from api_service.settings import load_or_exit
from service_kit.logs import configure_logging

_settings = load_or_exit()
configure_logging(_settings.log_level, as_json=_settings.in_production)
app = create_app(_settings)
