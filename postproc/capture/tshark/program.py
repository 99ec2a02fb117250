"""Finding and running tshark, always with the same settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from heuristics.errors import RstoriginError, visible
from postproc.runtime.errors import TsharkError, TsharkNotFoundError, TsharkTooOldError
from postproc.runtime.temp_files import temporary_file

VARIABLE = "RSTORIGIN_TSHARK"  # names the tshark to use, where it is not the one on PATH
OLDEST = (4, 0, 0)
INSTALL = "install Wireshark 4.0 or newer: Debian and Ubuntu `apt install tshark`, elsewhere https://www.wireshark.org"
_VERSION_TIMEOUT_S = 30
_NO_LUA_FOR_ROOT = (4, 4, 0)

# The preferences that change what a field of heuristics.fields.FIELDS holds, at Wireshark's defaults, so that a user's
# own settings cannot. Found by flipping each of the 802 boolean preferences of tshark 4.0 over captures with fragments,
# wrong checksums, tunnels, ICMP errors and segmentation offload: these and frame.generate_epoch_time, no other.
PREFERENCES: tuple[str, ...] = (
    "frame.force_docsis_encap:FALSE",  # else every frame is taken for a cable modem's
    "ip.decode_tos_as_diffserv:TRUE",  # else there is no ip.dsfield
    "ip.defragment:TRUE",  # TCP of a fragmented packet shows in its last fragment, not in the first
    "ipv6.defragment:TRUE",
    "ip.tso_support:TRUE",  # packets captured before the network card cut them have a total length of 0
    "ipv6.tso_support:FALSE",  # the same in IPv6, where a length of 0 may also be a jumbogram
)
# Without it 4.0 prints no frame.time_epoch. Later versions refuse the option.
_EPOCH_TIME = "frame.generate_epoch_time:TRUE"
_EPOCH_TIME_GONE = (4, 2, 0)

Version = tuple[int, int, int]


class Run:
    """A tshark at work: `stdout` to read from; `status` and `messages` once it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        assert process.stdout is not None  # it is a pipe
        self.stdout = process.stdout
        self._process = process
        self._stderr = stderr

    @property
    def status(self) -> int:
        """The exit status; waits for the end."""
        return self._process.wait()

    @property
    def messages(self) -> str:
        """What tshark said on stderr, without the remark that it runs as root; waits for the end."""
        self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read(_MESSAGES_READ).decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("Running as user"))


_MESSAGES_READ = 65536  # bytes; a hostile capture can make tshark say more


@dataclass(frozen=True, slots=True)
class Tshark:
    """An installed tshark."""

    program: Path
    version: Version

    def __str__(self) -> str:
        """Name it to a user."""
        return visible(f"tshark {_dotted(self.version)} ({self.program})")

    def refuses_lua(self) -> bool:
        """Whether it loads no Lua script, and does not say so, because root runs it."""
        return self.version >= _NO_LUA_FOR_ROOT and is_root()

    def preferences(self) -> list[str]:
        """The options that hold tshark to the settings we read with."""
        old = (_EPOCH_TIME,) if self.version < _EPOCH_TIME_GONE else ()
        return options([*PREFERENCES, *old])

    @contextmanager
    def run(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Run]:
        """Start tshark with `arguments`, and `environment` over our own; ends it when the block is left early.

        Raises TsharkError when it cannot be started, and NoRoomError.
        """
        with temporary_file() as stderr:  # a pipe that nobody reads meanwhile would stop tshark
            process = _start([str(self.program), *arguments], stderr, environment or {})
            try:
                yield Run(process, stderr)
            finally:
                if process.stdout is not None:
                    process.stdout.close()
                process.kill()  # does nothing to one that has ended and been waited for
                process.wait()


def options(preferences: Sequence[str]) -> list[str]:
    """`-o NAME:VALUE` for each preference."""
    return [word for preference in preferences for word in ("-o", preference)]


def find(version_of: Callable[[Path], Version] | None = None) -> Tshark:
    """The tshark that $RSTORIGIN_TSHARK names, else the one on PATH, else the one where installers put it.

    `version_of` says which version a program is; without it, the program is asked, which takes a moment.
    Raises TsharkNotFoundError or TsharkTooOldError.
    """
    program = _program()
    version = (version_of or asked_version)(program)
    if version < OLDEST:
        raise TsharkTooOldError(
            visible(f"tshark {_dotted(version)} ({program}) is too old: rstorigin needs {_dotted(OLDEST)}; {INSTALL}")
        )
    return Tshark(program, version)


def is_root() -> bool:
    """Whether Wireshark takes the user of this process for root."""
    return os.name == "posix" and 0 in (os.geteuid(), os.getegid())  # Wireshark takes group root for root too


def described() -> str:
    """The tshark that would be used, or why there is none; for `--version`."""
    try:
        return str(find())
    except RstoriginError as error:
        return str(error)


def find_all() -> list[Tshark]:
    """Every tshark on this machine that is new enough, as `find` looks for one; only that of $RSTORIGIN_TSHARK, if set.

    Raises TsharkError where $RSTORIGIN_TSHARK names none.
    """
    if os.environ.get(VARIABLE):
        return [find()]
    on_path = (shutil.which("tshark", path=folder) for folder in os.get_exec_path())
    programs = [*(Path(program) for program in on_path if program), *filter(Path.is_file, _usual_places())]
    found: dict[Path, Tshark] = {}
    for program in programs:
        if program.resolve() not in found:
            with suppress(TsharkError):  # not a tshark, or a broken one
                found[program.resolve()] = Tshark(program, asked_version(program))
    return [tshark for tshark in found.values() if tshark.version >= OLDEST]


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _program() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise TsharkNotFoundError(visible(f"no tshark at {named}, which ${VARIABLE} names; change it or unset it"))
        return Path(found)
    found = shutil.which("tshark")
    if found is not None:
        return Path(found)
    for place in _usual_places():
        if place.is_file():
            return place
    raise TsharkNotFoundError(f"tshark is not on PATH; {INSTALL}; or set ${VARIABLE} to where it is")


def _usual_places() -> list[Path]:
    """Where installers put tshark without putting it on PATH."""
    if sys.platform == "darwin":
        return [
            Path("/Applications/Wireshark.app/Contents/MacOS/tshark"),
            Path("/opt/homebrew/bin/tshark"),
            Path("/usr/local/bin/tshark"),
        ]
    if sys.platform == "win32":
        folders = [os.environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)")]
        return [Path(folder) / "Wireshark" / "tshark.exe" for folder in folders if folder]
    return [Path("/usr/sbin/tshark"), Path("/usr/local/bin/tshark")]


def asked_version(program: Path) -> Version:
    """What `program` says of itself; asked once while the file stays the same. Raises TsharkError.

    From a first line such as "TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3)".
    """
    status = program.stat()
    return _asked(program, status.st_size, status.st_mtime_ns)


@lru_cache
def _asked(program: Path, _size: int, _mtime_ns: int) -> Version:
    with temporary_file() as stderr:
        # Not --version: with Lua turned off in init.lua, 4.4 and 4.6 crash on it.
        process = _start([str(program), "-h"], stderr, {})
        try:
            output, _ = process.communicate(timeout=_VERSION_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise TsharkError(visible(f"{program} -h did not answer; {INSTALL}")) from None
    found = re.match(rb"TShark[^\d\n]*(\d+)\.(\d+)(?:\.(\d+))?", output)
    if found is None:
        raise TsharkError(visible(f"{program} does not say which tshark it is; {INSTALL}"))
    major, minor, micro = (int(part or 0) for part in found.groups())
    return major, minor, micro


def _start(command: list[str], stderr: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,  # else tshark in a loop over files would read the user's terminal or list
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "LC_ALL": "C", **environment},  # messages are told apart by their English text
        )
    except OSError as error:
        raise TsharkError(visible(f"{command[0]} cannot be started: {error.strerror}; {INSTALL}")) from None
