"""The HTTP door for a WSGI server: `flask run --port 5001` here, or `gunicorn` with gunicorn.conf.py."""

from service_kit import tracing
from service_kit.logs import configure_logging
from stock_service.app import create_app
from stock_service.settings import load_or_exit

_settings = load_or_exit()
configure_logging(_settings.log_level, as_json=_settings.logs_as_json)
tracing.start("stock_service", _settings.traces_endpoint)
app = create_app(_settings)
