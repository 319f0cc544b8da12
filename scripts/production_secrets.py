"""Makes every secret that docker-compose.prod.yml needs, as files in deploy/secrets, which git ignores.

    python3 -m scripts.production_secrets quotes.example.com

Each password and key is new and random. The TLS certificate is self-signed, for the names given: it is for trying
things out, put a real one into `tls_certificate` and `tls_key`. Nothing that is there already is touched.
"""

import argparse
import ipaddress
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.broker_definitions import TEMPLATE, with_passwords

DIRECTORY = Path(__file__).resolve().parents[1] / "deploy" / "secrets"
_PASSWORD_BYTES = 32
_KEY_BYTES = 32
_CERTIFICATE_DAYS = "90"
# The files are mounted one by one into containers whose users are other than ours: the folder keeps others out.
_FOLDER_MODE = 0o700
_FILE_MODE = 0o644


class SecretsError(RuntimeError):
    """The secrets could not be made; the text says why."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.production_secrets", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="host name or address under which the API is called")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where to; %(default)s")
    chosen = parser.parse_args(arguments)
    try:
        make_secrets(chosen.directory, chosen.names)
    except (SecretsError, OSError) as error:
        print(f"The secrets could not be made: {error}", file=sys.stderr)
        return 1
    print(f"{chosen.directory} is ready. Its certificate is self-signed: for trying things out only.")
    print(f"Now set TRUSTED_HOSTS={','.join(chosen.names)} in the environment or in .env.")
    return 0


def make_secrets(directory: Path, names: Sequence[str]) -> None:
    """Fill `directory`, which must not be there.

    :raises SecretsError: it is there, or the certificate cannot be made.
    """
    if directory.exists():
        raise SecretsError(f"{directory} is there already; take it away first if you want to lose what is in it.")
    openssl = shutil.which("openssl")
    if openssl is None:
        raise SecretsError("the program `openssl` is missing.")
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    unfinished.chmod(_FOLDER_MODE)
    for name, content in _texts().items():
        (unfinished / name).write_text(content, encoding="utf-8")
    _make_certificate(openssl, unfinished, names)
    for file in unfinished.iterdir():
        file.chmod(_FILE_MODE)
    unfinished.rename(directory)


def _texts() -> dict[str, str]:
    database, redis = (secrets.token_urlsafe(_PASSWORD_BYTES) for _ in range(2))
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    broker = {user["name"]: secrets.token_urlsafe(_PASSWORD_BYTES) for user in template["users"]}
    vhost = template["vhosts"][0]["name"]
    urls = {f"rabbitmq_url_{user}": f"amqp://{user}:{broker[user]}@rabbitmq:5672/{vhost}\n" for user in broker}
    return urls | {
        "rabbitmq_definitions.json": json.dumps(with_passwords(template, broker), indent=2) + "\n",
        "secret_key": secrets.token_hex(_KEY_BYTES) + "\n",
        "secret_key_fallback": "",  # empty counts as unset
        "twelvedata_api_key": "",
        "database_password": database,
        "database_uri": f"postgresql+psycopg://stock:{database}@db:5432/stock\n",
        "redis_conf": f"requirepass {redis}\n",
        "cache_url": f"redis://:{redis}@redis:6379/0\n",
    }


def _make_certificate(openssl: str, directory: Path, names: Sequence[str]) -> None:
    alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", _CERTIFICATE_DAYS, "-subj", "/CN=stock-quotes", "-addext", f"subjectAltName={alternatives}"]
    command += ["-keyout", str(directory / "tls_key"), "-out", str(directory / "tls_certificate")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
    if done.returncode:
        raise SecretsError(f"openssl says: {done.stderr.strip()[-300:]}")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
