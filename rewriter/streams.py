"""stdout and stderr that take whatever is printed: a reader may have left, a terminal may lack letters."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Stream:
    """A text stream; what its encoding lacks is escaped, and once its reader has left it goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of any stream."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError as error:
            return self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except BrokenPipeError:
            self.leave()
            return len(text)

    def flush(self) -> None:
        """As of any stream."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self.leave()

    def leave(self) -> None:
        """From now on all goes nowhere, what is still in the buffer, too."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """stdout and stderr are such streams meanwhile, and closed ones go nowhere."""
    _open_standard_files()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = Stream(sys.stdout or nowhere), Stream(sys.stderr or nowhere)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                yield
            finally:
                _empty(out)
                _empty(err)


def _open_standard_files() -> None:
    """Else the next file to be opened would be stdout, and what a library prints would go into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _empty(stream: Stream) -> None:
    """Write what is in the buffer; Python would try so at its end, and make an exit code of its own of a failure."""
    try:
        stream.flush()
    except OSError:
        stream.leave()
