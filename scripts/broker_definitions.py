"""Writes the broker's definitions with new random passwords, for anywhere but a developer's machine.

    python3 -m scripts.broker_definitions definitions.json broker.example.com

takes deploy/rabbitmq/definitions.json, whose passwords everybody knows, and writes a copy with passwords of its own,
as salted hashes and for the owner's eyes only. It prints the two RABBITMQ_URLs, which are stored nowhere else.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

TEMPLATE = Path(__file__).resolve().parents[1] / "deploy" / "rabbitmq" / "definitions.json"
_SALT_BYTES = 4  # RabbitMQ's format
_PASSWORD_BYTES = 32


def hashed(password: str, salt: bytes) -> str:
    """What RabbitMQ stores for a password, with SHA-256 (https://www.rabbitmq.com/docs/passwords#computing-password-hash)."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def with_passwords(template: dict[str, Any], passwords: dict[str, str]) -> dict[str, Any]:
    """A copy of `template` in which each user has the password named here."""
    users = [
        user | {"password_hash": hashed(passwords[user["name"]], secrets.token_bytes(_SALT_BYTES))}
        for user in template["users"]
    ]
    return template | {"users": users}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.broker_definitions", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="where to write the definitions; must not exist yet")
    parser.add_argument("host", help="the broker's name, for the URLs, with :port if it is not the usual one")
    parser.add_argument("--without-tls", action="store_true", help="print amqp:// instead of amqps://")
    chosen = parser.parse_args(arguments)
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    passwords = {user["name"]: secrets.token_urlsafe(_PASSWORD_BYTES) for user in template["users"]}
    try:
        _write(chosen.file, with_passwords(template, passwords))
    except OSError as error:
        print(f"Cannot write {chosen.file}: {error.strerror}", file=sys.stderr)
        return 1
    scheme = "amqp" if chosen.without_tls else "amqps"
    vhost = quote(template["vhosts"][0]["name"], safe="")
    for name, password in passwords.items():
        print(f"{name}: RABBITMQ_URL={scheme}://{name}:{password}@{chosen.host}/{vhost}")
    return 0


def _write(file: Path, definitions: dict[str, Any]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(definitions, out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
