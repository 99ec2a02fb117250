"""Messages on stderr, results on stdout."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from heuristics.errors import Problem, RstoriginError, visible
from postproc.cli.exit_status import WRONG_USAGE
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError
from postproc.runtime.failures import reason_and_hint, show_traceback
from postproc.runtime.signals import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console


def messages() -> Console:
    """The console for messages and progress: plain if stderr is not a terminal or NO_COLOR is set."""
    from rich.console import Console  # slow to import, and most runs print no message

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_message(message: str) -> None:
    """Print one message on stderr, without markup and colours."""
    messages().print(message, markup=False)


def print_problems(problems: Iterable[Problem]) -> None:
    """Print every problem on stderr, one a line."""
    for problem in problems:
        print_message(str(problem))


def write_result(text: str, out: Path | None, inputs: Iterable[Path] = ()) -> None:
    """Write a result to stdout, or to the file `out`, whole or not at all. Raises OutputError."""
    content = f"{text}\n".encode() if text else b""
    if out is None:
        try:
            typer.echo(content, nl=False)  # bytes: UTF-8 whatever the locale
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader closed the pipe: typer ends without a message
            raise OutputError("stdout", f"cannot be written: {error.strerror}") from None
        return
    with whole_file(out, inputs) as file:
        file.write(content)


class ErrorReportingGroup(TyperGroup):
    """A group of commands that turns errors into a message and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. `ctx` is click's context; which module it comes from depends on the version of typer."""
        try:
            return super().invoke(ctx)
        except RstoriginError as error:
            print_message(str(error))
            raise typer.Exit(WRONG_USAGE) from None
        except KeyboardInterrupt:
            print_message("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BaseException as error:
            if _is_for_typer(error):
                raise
            show_traceback(error)
            print_message(visible(_message(error)))
            raise typer.Exit(WRONG_USAGE) from None


def _is_for_typer(error: BaseException) -> bool:
    """Whether typer handles `error`: an end, wrong usage, or a reader that closed the pipe."""
    ends = isinstance(error, (SystemExit, typer.Exit, typer.Abort)) or hasattr(error, "format_message")
    return ends or (isinstance(error, OSError) and error.errno == errno.EPIPE)


def _message(error: BaseException) -> str:
    """What to print of an error that nobody foresaw."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'rstorigin'}: {error.strerror}"
    reason, hint = reason_and_hint(error)
    return f"{reason} ({hint})"
