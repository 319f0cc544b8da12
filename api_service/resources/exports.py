"""Long answers, which are sent while they are read: a few at once, each of them whole or visibly broken off."""

import errno
import logging
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, current_app, g

from service_kit.deadline import Deadline
from service_kit.problems import Problem

AT_ONCE: Final = 2
"""In one process: each keeps a thread, and much of a core, until it is sent."""
LONGEST: Final = 600.0
"""Seconds; who reads more slowly is cut off, or two slow readers would keep everybody else from exporting."""
_EXTENSION: Final = "exports"
_log = logging.getLogger(__name__)


def streamed(texts: Iterator[str], mimetype: str, filename: str) -> Response:
    """An answer that saves `texts` as a file; the first of them is read now, and what that raises is raised here.

    Each is taken inside of an application context. What goes wrong after the first is too late for a status: the
    connection is closed without the end that HTTP/1.1 has, so that every client sees that something is missing.

    :raises Problem: 429, too many are being sent.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  Flask's documented way
    stream = _stream(app, texts, g.request_id)
    next(stream)
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(stream, mimetype=mimetype, headers=headers)


def _stream(app: Flask, texts: Iterator[str], request_id: str) -> Iterator[str]:
    """Nothing at first, when the first text is there; then the texts. However it ends, its place is free again."""
    slots: threading.BoundedSemaphore = app.extensions.setdefault(_EXTENSION, threading.BoundedSemaphore(AT_ONCE))
    if not slots.acquire(blocking=False):
        raise _too_many()
    try:
        deadline = Deadline.after(LONGEST)
        text = _next(app, texts)
        yield ""
        while text is not None:
            yield text
            text = _following(app, texts, deadline, request_id)
    finally:
        slots.release()


def _next(app: Flask, texts: Iterator[str]) -> str | None:
    with app.app_context():
        return next(texts, None)


def _following(app: Flask, texts: Iterator[str], deadline: Deadline, request_id: str) -> str | None:
    """:raises ConnectionResetError: there is none in time. The server takes it for the client's, and hangs up."""
    if deadline.expired:
        _log.warning("export.too_slow", extra={"seconds": LONGEST, "request_id": request_id})
        raise ConnectionResetError(errno.ECONNRESET, "the export took too long")
    try:
        return _next(app, texts)
    except Exception as error:
        _log.exception("export.broken_off", extra={"request_id": request_id})
        raise ConnectionResetError(errno.ECONNRESET, "the export broke off") from error


def _too_many() -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-exports",
        f"{AT_ONCE} exports are being sent already. Try again after the time in Retry-After.",
        title="Too many exports",
        headers={"Retry-After": "10"},
    )
