"""`rstorigin kernel-trace`: the command with which to trace resets on this kernel."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from postproc.cli.messages import print_message
from postproc.kernel_trace.command import Tool, command, this_kernel
from postproc.runtime.errors import UsageError


def kernel_trace(
    print_: Annotated[
        bool, typer.Option("--print", help="Print the command. It is not run: it needs root, and your consent.")
    ] = False,
    tool: Annotated[
        Tool, typer.Option("--tool", help="What traces. tracefs: the kernel's own files, which need no program.")
    ] = Tool.TRACEFS,
) -> None:
    """Print the shell command that traces the resets of this machine's kernel, for reconcile --kernel.

    Run it on the host whose resets are in question, as root, while the problem occurs. End it with Ctrl-C.
    """
    if platform.system() != "Linux":
        raise UsageError("kernel-trace is for Linux: run it on the host whose resets are in question")
    if not print_:
        raise UsageError("rstorigin traces nothing itself: --print prints the command")
    kernel = this_kernel(platform.release())
    if not kernel.known:
        print_message("the tracepoints of this kernel cannot be read (as root they can): this is for Linux in general")
    typer.echo(command(kernel, tool))
