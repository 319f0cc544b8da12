"""What `make run` prints for its reader's other terminal: lines to paste into a shell."""

import shlex
from collections.abc import Mapping

from scripts.services import COMMANDS, ROOT


def how_to_use(address: str) -> str:
    """Lines to paste into a shell that has curl and sed."""
    bearer = '-H "Authorization: Bearer $TOKEN"'
    login = shlex.quote('{"username": "admin", "password": "admin"}')
    return "\n".join(
        (
            f"TOKEN=$(curl -s {address}/api/v1/login -H 'Content-Type: application/json' \\",
            f'  -d {login} | sed -n \'s/.*"token" *: *"\\([^"]*\\)".*/\\1/p\')',
            f"curl -i {bearer} '{address}/api/v1/stock?q=aapl.us'",
            f"curl {bearer} {address}/api/v1/users/history",
            f"curl {bearer} {address}/api/v1/stats",
        )
    )


def how_to_administer(settings: Mapping[str, str], *arguments: str) -> str:
    """A command for production, with the settings that the reader's own environment does not have."""
    environment = [f"{name}={value}" for name, value in ({"APP_ENV": "production"} | dict(settings)).items()]
    return f"cd {shlex.quote(str(ROOT))} && {shlex.join(['env', *environment, *COMMANDS, *arguments])}"
