"""Whether tshark printed the packets that a capture has. Its exit status alone proves nothing."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from postproc.capture.tshark.program import TSHARK_VARIABLE, Tshark, TsharkProcess
from postproc.runtime.errors import CaptureError, TsharkFailedError


@dataclass(frozen=True, slots=True)
class ExpectedPackets:
    """How many packets tshark has to print: `count`, or at least so many."""

    count: int
    exact: bool = True

    def check(self, capture: Path, process: TsharkProcess, printed: int) -> None:
        """Raises TsharkFailedError where tshark ended well, and printed another number."""
        if process.status == 0 and (printed < self.count or (self.exact and printed > self.count)):
            least = "" if self.exact else "at least "
            reason = f"tshark gave {printed:,} packets, where the capture has {least}{self.count:,}"
            raise TsharkFailedError(str(capture), reason, _OTHER)


NOT_KNOWN = ExpectedPackets(0, exact=False)
_OTHER = f"use another tshark: ${TSHARK_VARIABLE} names one"


def check_end(capture: Path, process: TsharkProcess, printed: int | None) -> None:
    """Raises TsharkFailedError for a tshark that was killed, by us since it hung, or by others."""
    status = process.status
    read = "" if printed is None else f"; packets read before that: {printed:,}"
    if process.hung:
        reason = f"tshark printed nothing for a long time, and was ended{read}"
        hint = "--tshark-timeout SECONDS gives it more time"
        raise TsharkFailedError(str(capture), reason, hint, once_more=False)
    if status < 0:
        reason = f"tshark was killed by {_name(-status)}{read}"
        raise TsharkFailedError(str(capture), reason, "perhaps out of memory")


def garbage(capture: Path, tshark: Tshark, error: CaptureError) -> CaptureError:
    """The error for output that tshark never prints, which made reading fail with `error`."""
    return CaptureError(str(capture), f"{tshark} printed what tshark never prints: {error.problem.reason}", _OTHER)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
