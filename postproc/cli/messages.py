"""What commands say on stderr, and the exit codes: results alone go to stdout."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from heuristics.errors import Problem, RstoriginError
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.signals import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

SOME_FAILED = 1  # finished, but some input could not be read, or not to its end
WRONG_USAGE = 2  # nothing could be done: wrong arguments, a rulebook with mistakes, no tshark


def messages() -> Console:
    """Where messages and progress go. Plain where stderr is not a terminal; respects NO_COLOR."""
    from rich.console import Console  # only here: most runs have nothing to say

    return Console(stderr=True, highlight=False, soft_wrap=True)


def tell(message: str) -> None:
    """One message, as it is: no markup, no colours."""
    messages().print(message, markup=False)


def tell_problems(problems: Iterable[Problem]) -> None:
    """Every problem on a line of its own."""
    for problem in problems:
        tell(str(problem))


def write_result(text: str, out: Path | None, inputs: Iterable[Path] = ()) -> None:
    """A result to stdout, or to the file `out`, whole or not at all. Raises OutputError."""
    content = f"{text}\n".encode() if text else b""
    if out is None:
        typer.echo(content, nl=False)  # bytes: UTF-8 whatever the locale
        return
    with whole_file(out, inputs) as file:
        file.write(content)


class TellingGroup(TyperGroup):
    """A group of commands that turns our own errors, and a full disk, into a message and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named. `ctx` is click's context, which typer brings or imports, by version."""
        try:
            return super().invoke(ctx)
        except RstoriginError as error:
            tell(str(error))
            raise typer.Exit(WRONG_USAGE) from None
        except KeyboardInterrupt:
            tell("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader has seen enough: typer ends quietly
            tell(f"the result cannot be written: {error.strerror}")
            raise typer.Exit(WRONG_USAGE) from None
