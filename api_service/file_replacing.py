"""Writing a file that is there as a whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` at the end.

    Until then it lies beside it, under another name; when the block raises it is removed, and `target` is as it was.
    Only the user of this process may read it.

    :raises OSError: it cannot be written; also when `target` is there and is no ordinary file.
    """
    target = Path(os.path.realpath(target))  # the file that a symbolic link names is replaced, not the link
    if target.exists() and not target.is_file():
        raise OSError(None, "it is no ordinary file")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
