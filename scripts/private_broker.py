"""A private RabbitMQ node, run from an installed `rabbitmq-server` under a directory of our own.

It shares nothing with another RabbitMQ on the machine: own node name, ports, port mapper (epmd), Erlang cookie, data
and logs. It listens on 127.0.0.1 only, loads no plugin and ends with the process that started it. Starting again on
the same directory replaces a node that a crash left behind and keeps its data.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from scripts.amqp_probe import NotReachableError, check_broker
from scripts.child_processes import Child, kill_group
from scripts.ports import free_ports

# Debian's programs on the PATH change to user `rabbitmq` and its directories; the real ones lie here.
_DEBIAN_PROGRAMS = "/usr/lib/rabbitmq/bin"
_BOOT_SECONDS = 60.0
_STOP_SECONDS = 15.0
_CTL_SECONDS = 30.0
_POLL_SECONDS = 0.1
# Idle schedulers sleep instead of spinning: tests and a developer's machine have few cores.
_QUIET = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"


class BrokerError(RuntimeError):
    """A broker cannot be had or does not do what it was told; the text says why."""


def find_program(name: str = "rabbitmq-server") -> Path | None:
    found = shutil.which(name, path=f"{_DEBIAN_PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None and (beside := shutil.which("rabbitmq-server")):  # elsewhere all programs lie together
        found = shutil.which(name, path=str(Path(beside).resolve().parent))
    return Path(found) if found else None


class PrivateBroker:
    """A broker of one's own: start and stop it, kill it, command it with `ctl`.

    :param tls: with it there is a second listener, for `amqps://`; key and certificate chain in one PEM file, which is
        read anew for each start.
    """

    def __init__(self, directory: Path, tls: Path | None = None) -> None:
        self._directory = directory.resolve()
        self._name = f"stock-quotes-{hashlib.sha256(str(self._directory).encode()).hexdigest()[:8]}@localhost"
        self._amqp_port, self._tls_port, self._distribution_port, self._mapper_port = free_ports(4)
        self._tls = tls
        self._mapper: Child | None = None
        self._node: Child | None = None

    @property
    def process(self) -> Child | None:
        """The node's process, while there is one."""
        return self._node

    @property
    def url(self) -> str:
        return self.url_for("/")

    def url_for(self, vhost: str, user: str = "guest", password: str = "guest") -> str:  # noqa: S107  RabbitMQ's own
        return f"amqp://{user}:{password}@127.0.0.1:{self._amqp_port}/{quote(vhost, safe='')}"

    def tls_url(self, host: str = "localhost", password: str = "guest") -> str:  # noqa: S107  as above
        return f"amqps://guest:{password}@{host}:{self._tls_port}/%2F"

    def start(self) -> None:
        """Start the node and wait until it lets clients in; nothing happens when it runs already."""
        if self._node and self._node.exit_code is None:
            return
        self._prepare_directory()
        self._end_leftovers()
        self._start_mapper()
        self._node = self._start("node", [_program("rabbitmq-server")])
        self._wait_until_ready(self._node)

    def stop(self) -> None:
        """Shut the node and its port mapper down in good order."""
        for name, child in (("node", self._node), ("mapper", self._mapper)):
            if child:
                child.stop(_STOP_SECONDS)
                self._pid_file(name).unlink(missing_ok=True)
        self._node = self._mapper = None

    def kill(self) -> None:
        """End the node as a crash would; `start` brings it back on the same port."""
        if self._node:
            self._node.kill()
            self._node = None

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` against this node and return what it printed."""
        done = subprocess.run(
            [_program("rabbitmqctl"), "--quiet", *arguments],
            env=self._environment(),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CTL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"rabbitmqctl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def stop_app(self) -> None:
        """Close every connection and refuse new ones, while the Erlang node goes on."""
        self.ctl("stop_app")

    def start_app(self) -> None:
        self.ctl("start_app")

    def add_vhost(self, name: str) -> str:
        """Make a virtual host and return its URL; takes about two seconds."""
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return self.url_for(name)

    def import_definitions(self, file: Path) -> None:
        """Make the users, virtual hosts and so on that `file` names; what is there already stays."""
        self.ctl("import_definitions", str(file))

    def _prepare_directory(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._directory / "rabbitmq.conf").write_text(self._configuration(), encoding="ascii")
        (self._directory / "enabled_plugins").write_text("[].\n", encoding="ascii")

    def _configuration(self) -> str:
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self._amqp_port}", "log.console = false", "log.file.level = info"]
        if self._tls:
            lines += [
                f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}",
                f"ssl_options.certfile = {self._tls}",
                f"ssl_options.keyfile = {self._tls}",
                "ssl_options.verify = verify_none",  # of clients, who show no certificate
                "ssl_options.versions.1 = tlsv1.2",
            ]
        return "".join(f"{line}\n" for line in lines)

    def _environment(self) -> dict[str, str]:
        """Every path and port that RabbitMQ would otherwise take from the system's installation."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
        local = "-kernel inet_dist_use_interface {127,0,0,1}"
        at = {
            name: str(self._directory / name) for name in ("data", "logs", "rabbitmq.conf", "enabled_plugins", "none")
        }
        return inherited | {
            "HOME": str(self._directory),  # the Erlang cookie lies in it
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": at["data"],
            "RABBITMQ_LOG_BASE": at["logs"],
            "RABBITMQ_CONFIG_FILE": at["rabbitmq.conf"],
            "RABBITMQ_CONF_ENV_FILE": at["none"],
            "RABBITMQ_ADVANCED_CONFIG_FILE": at["none"],
            "RABBITMQ_ENABLED_PLUGINS_FILE": at["enabled_plugins"],
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_QUIET} {local} -marker {self._name}",
            "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def _start_mapper(self) -> None:
        """Start our own epmd, which otherwise the node would start as a daemon that outlives it."""
        if self._mapper is None or self._mapper.exit_code is not None:
            self._mapper = self._start(
                "mapper", [_program("epmd"), "-address", "127.0.0.1", "-port", str(self._mapper_port)]
            )
            _wait_for_port(self._mapper_port, self._mapper)

    def _start(self, name: str, command: list[str | Path]) -> Child:
        child = Child(
            command, log=self._directory / f"{name}.log", cwd=self._directory, environment=self._environment()
        )
        self._pid_file(name).write_text(str(child.pid), encoding="ascii")
        return child

    def _wait_until_ready(self, node: Child) -> None:
        end = time.monotonic() + _BOOT_SECONDS
        while node.exit_code is None and time.monotonic() < end:
            try:
                return check_broker(self.url)
            except NotReachableError:
                time.sleep(_POLL_SECONDS)
        reason = "ended" if node.exit_code is not None else f"was not ready after {_BOOT_SECONDS:.0f} s"
        raise BrokerError(f"The private RabbitMQ node {reason}. Its last lines ({node.log}):\n{node.last_lines()}")

    def _end_leftovers(self) -> None:
        """End what a crashed process left running here, if the process with that number is really ours."""
        marks = {"node": self._name, "mapper": "epmd"}
        for name, mark in marks.items():
            file = self._pid_file(name)
            if self._child(name) is None and file.exists() and (pid := int(file.read_text(encoding="ascii") or 0)):
                if mark in _command_lines_of_group(pid):
                    kill_group(pid)
                file.unlink()

    def _child(self, name: str) -> Child | None:
        return self._node if name == "node" else self._mapper

    def _pid_file(self, name: str) -> Path:
        return self._directory / f"{name}.pid"


def _program(name: str) -> Path:
    program = find_program(name)
    if program is None:
        raise BrokerError(f"The program {name} is not installed (it comes with rabbitmq-server).")
    return program


def _wait_for_port(port: int, child: Child) -> None:
    end = time.monotonic() + _STOP_SECONDS
    while child.exit_code is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise BrokerError(f"The port mapper epmd did not start ({child.log}):\n{child.last_lines()}")


def _command_lines_of_group(group: int) -> str:
    if not shutil.which("ps"):  # slim systems: the guard of child_processes has ended the leftovers
        return ""
    done = subprocess.run(["ps", "-A", "-ww", "-o", "pgid=,args="], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stdout.splitlines() if line.split(maxsplit=1)[:1] == [str(group)])
