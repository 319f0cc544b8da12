"""How the checks with real containers tell: a line for each that passed, an error for the first that did not."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from scripts.compose_project import ComposeProject
from scripts.logged_troubles import logged_troubles

HEALTHY_SECONDS = 90.0
"""In which a container that was started has to be healthy; a broker on a busy machine takes most of it."""

_POLL_SECONDS = 0.3


class CheckFailedError(AssertionError):
    """The system did not do what it should; the text says what it did."""


@contextmanager
def brought_up(
    program: tuple[str, ...], files: Sequence[str], settings: Mapping[str, str]
) -> Iterator[ComposeProject]:
    """Build and start what the files describe, and remove everything at the end; who fails meanwhile sees the logs."""
    print(f"{' with '.join(files)}:", flush=True)
    project = ComposeProject(program, files, settings)
    project.remove()  # what a killed run left behind
    try:
        project.run("build")
        passed("both images are built")
        project.run("up", "-d")
        yield project
    except BaseException:
        print(project.run("ps"), project.run("logs", "--no-color", "--tail", "40"), sep="\n", file=sys.stderr)
        print("Complaints:", logged_troubles(project.run("logs", "--no-color")), sep="\n", file=sys.stderr)
        raise
    finally:
        project.remove()
    passed("everything is removed again, volumes too")


def passed(what: str) -> None:
    print(f"  ok: {what}", flush=True)


def require(holds: bool, what: str, otherwise: str = "") -> None:  # noqa: FBT001  a condition, not a switch
    """:raises CheckFailedError: it does not hold."""
    if not holds:
        raise CheckFailedError(f"not so: {what}. {otherwise}")
    passed(what)


def until(ready: Callable[[], bool], limit: float, what: str) -> None:
    """Wait for what only asking again can tell.

    :raises CheckFailedError: it was not so within `limit` seconds.
    """
    end = time.monotonic() + limit
    while not ready():
        if time.monotonic() > end:
            raise CheckFailedError(f"not within {limit:.0f} s: {what}")
        time.sleep(_POLL_SECONDS)


def require_all_healthy(project: ComposeProject, services: Sequence[str], count: int = 1) -> None:
    """Wait until each of the services has `count` healthy containers.

    :raises CheckFailedError: it took too long.
    """
    for service in services:
        until(partial(_all_healthy, project, service, count), HEALTHY_SECONDS, f"{service} is healthy")
    passed(f"healthy: {', '.join(services)}")


def _all_healthy(project: ComposeProject, service: str, count: int) -> bool:
    return project.healthy(service) == count
