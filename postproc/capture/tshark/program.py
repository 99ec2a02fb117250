"""Finds tshark and runs it, always with the same settings."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from heuristics.errors import RstoriginError, visible
from heuristics.protocol.tshark_fields import LINUX_VXLAN_PORT
from heuristics.user_cache import keep, kept
from postproc.capture.tshark.patient_pipe import PatientPipe
from postproc.runtime.errors import TsharkError, TsharkNotFoundError, TsharkTooOldError
from postproc.runtime.signals import signals_held
from postproc.runtime.temp_files import temporary_file

TSHARK_VARIABLE = "RSTORIGIN_TSHARK"  # names the tshark to use, where it is not the one on PATH
OLDEST = (4, 0, 0)
INSTALL = "install Wireshark 4.0 or newer: Debian and Ubuntu `apt install tshark`, elsewhere https://www.wireshark.org"
DEFAULT_TIMEOUT_S = 300.0
_VERSION_TIMEOUT_S = 30
_READ_PER_S = 200_000  # bytes of a capture that the slowest tshark reads in a second
_NO_LUA_FOR_ROOT = (4, 4, 0)

# The preferences that change the value of a field in FIELDS (tshark_fields.py), at Wireshark's defaults: a user's own
# settings must not count. Found by flipping each of the 802 boolean preferences of tshark 4.0 over captures with
# fragments, wrong checksums, tunnels, ICMP errors and segmentation offload. Only frame.generate_epoch_time also does.
PREFERENCES: tuple[str, ...] = (
    "frame.force_docsis_encap:FALSE",  # else every frame counts as a cable modem's
    "ip.decode_tos_as_diffserv:TRUE",  # else ip.dsfield is missing
    "ip.defragment:TRUE",  # the last fragment of a packet shows its TCP header, not the first
    "ipv6.defragment:TRUE",
    "ip.tso_support:TRUE",  # packets captured before the network card cut them have a total length of 0
    "ipv6.tso_support:FALSE",  # in IPv6 a length of 0 may also mean a jumbogram
)
# Linux, flannel and Cilium send VXLAN to their own port, of which Wireshark knows nothing. The plugin does the same.
DECODE_AS: tuple[str, ...] = ("-d", f"udp.port=={LINUX_VXLAN_PORT},vxlan")
# Without this preference 4.0 prints no frame.time_epoch. Later versions refuse it.
_EPOCH_TIME = "frame.generate_epoch_time:TRUE"
_EPOCH_TIME_GONE = (4, 2, 0)

Version = tuple[int, int, int]


class TsharkProcess:
    """A running tshark: `stdout` to read from; `status` and `messages` once it has ended.

    `hung` becomes true where it is ended since it printed nothing for too long: then `stdout` ends there.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes], timeout_s: float) -> None:
        self.stdout = PatientPipe(process, timeout_s)
        self._process = process
        self._stderr = stderr

    @property
    def hung(self) -> bool:
        """Whether it was ended since it printed nothing for too long."""
        return self.stdout.hung

    @property
    def status(self) -> int:
        """The exit status, negative for a signal. Waits for the end."""
        return self.stdout.wait()

    @property
    def messages(self) -> str:
        """The text on stderr, without the remark about running as root. Waits for the end."""
        self.stdout.wait()
        self._stderr.seek(0)
        lines = self._stderr.read(_MESSAGES_READ).decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("Running as user"))


_MESSAGES_READ = 65536  # bytes; a hostile capture can make tshark print more


@dataclass(frozen=True, slots=True)
class Tshark:
    """An installed tshark. `decode_as` are the user's rules for it (decode_as.py).

    One that prints nothing for `timeout_s` is ended; 0: never.
    """

    program: Path
    version: Version
    decode_as: tuple[str, ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S

    def __str__(self) -> str:
        """The version and the program, for users."""
        return visible(f"tshark {_dotted(self.version)} ({self.program})")

    def refuses_lua(self) -> bool:
        """Whether root runs this tshark, and it therefore loads no Lua script. It reports nothing then."""
        return self.version >= _NO_LUA_FOR_ROOT and is_root()

    def preferences(self) -> list[str]:
        """The options that give tshark the settings that we read with."""
        old = (_EPOCH_TIME,) if self.version < _EPOCH_TIME_GONE else ()
        return [*preference_options([*PREFERENCES, *old]), *decode_as_options(self.decode_as)]

    @contextmanager
    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None, silent_s: float = 0
    ) -> Iterator[TsharkProcess]:
        """Start tshark with `arguments`, and with `environment` over our own. Kills it when the block is left early.

        It may print nothing for `silent_s` longer than usual. Raises TsharkError when tshark cannot be started, and
        NoRoomError.
        """
        with temporary_file() as stderr:  # tshark would block on a full pipe that nobody reads
            process = None
            try:
                # Else a signal while tshark starts would leave it behind: nobody would know of it.
                with signals_held(signal.SIGINT, signal.SIGTERM, masked=False):
                    process = _start([str(self.program), *arguments], stderr, environment or {})
                yield TsharkProcess(process, stderr, self.timeout_s and self.timeout_s + silent_s)
            finally:
                if process is not None:
                    if process.stdout is not None:
                        process.stdout.close()
                    process.kill()  # does nothing to a process that has ended and was waited for
                    process.wait()


def decode_as_options(rules: Sequence[str] = ()) -> list[str]:
    """`-d RULE` for each of our rules and of the user's, of which the last one counts."""
    return [*DECODE_AS, *(word for rule in rules for word in ("-d", rule))]


def time_to_read(capture: Path) -> float:
    """Seconds for which a tshark that reads all of a capture before it prints anything may print nothing."""
    return capture.stat().st_size / _READ_PER_S


def preference_options(preferences: Sequence[str]) -> list[str]:
    """`-o NAME:VALUE` for each preference."""
    return [word for preference in preferences for word in ("-o", preference)]


def find_tshark() -> Tshark:
    """The tshark that $RSTORIGIN_TSHARK names, else the one on PATH, else the one in the usual place of installers.

    Raises TsharkNotFoundError or TsharkTooOldError.
    """
    program = _program()
    version = installed_version(program)
    if version < OLDEST:
        raise TsharkTooOldError(
            visible(f"tshark {_dotted(version)} ({program}) is too old: rstorigin needs {_dotted(OLDEST)}; {INSTALL}")
        )
    return Tshark(program, version)


def is_root() -> bool:
    """Whether Wireshark treats the user of this process as root."""
    return os.name == "posix" and 0 in (os.geteuid(), os.getegid())  # Wireshark treats group root as root, too


def describe_tshark() -> str:
    """The tshark that would be used, or why there is none; for `--version`."""
    try:
        return str(find_tshark())
    except RstoriginError as error:
        return str(error)


def find_all_tsharks() -> list[Tshark]:
    """Every tshark on this machine that is new enough; if $RSTORIGIN_TSHARK is set, only the one that it names.

    Raises TsharkError where $RSTORIGIN_TSHARK names none.
    """
    if os.environ.get(TSHARK_VARIABLE):
        return [find_tshark()]
    on_path = (shutil.which("tshark", path=folder) for folder in os.get_exec_path())
    programs = [*(Path(program) for program in on_path if program), *filter(Path.is_file, _usual_places())]
    found: dict[Path, Tshark] = {}
    for program in programs:
        if program.resolve() not in found:
            with suppress(TsharkError):  # no tshark, or a broken one
                found[program.resolve()] = Tshark(program, installed_version(program))
    return [tshark for tshark in found.values() if tshark.version >= OLDEST]


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _program() -> Path:
    named = os.environ.get(TSHARK_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise TsharkNotFoundError(
                visible(f"no tshark at {named}, which ${TSHARK_VARIABLE} names; change it or unset it")
            )
        return Path(found)
    found = shutil.which("tshark")
    if found is not None:
        return Path(found)
    for path in _usual_places():
        if path.is_file():
            return path
    raise TsharkNotFoundError(f"tshark is not on PATH; {INSTALL}; or set ${TSHARK_VARIABLE} to where it is")


def _usual_places() -> list[Path]:
    """Where installers put a tshark that is not on PATH."""
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


def installed_version(program: Path) -> Version:
    """The version that `program` prints. While the file stays the same, it is asked once. Raises TsharkError.

    A script, or the launcher of a package, stays the same when its tshark is another: it is asked in every run.
    """
    whole = program.resolve()
    status = whole.stat()
    identity = f"{whole}\0{status.st_size}\0{status.st_mtime_ns}"
    return _kept_version(program, identity) if _is_tshark_itself(whole) else _version_in_this_run(program, identity)


def _is_tshark_itself(whole: Path) -> bool:
    if whole.stem.lower() != "tshark":
        return False
    try:
        with whole.open("rb") as file:
            return file.read(4) in _EXECUTABLES
    except OSError:
        return False


@lru_cache
def _version_in_this_run(program: Path, _identity: str) -> Version:
    return _version_from_help(program)


@lru_cache
def _kept_version(program: Path, identity: str) -> Version:
    """The version from the user's cache; asked, and kept there, where it has none."""
    found = _VERSION.fullmatch(kept(_VERSION_FILE, identity) or b"")
    if found is not None:
        return int(found[1]), int(found[2]), int(found[3])
    version = _version_from_help(program)
    keep(_VERSION_FILE, identity, _dotted(version).encode())
    return version


_VERSION_FILE = "tshark.version"
# The first bytes of executables: ELF, and Mach-O in both byte orders and for several processors.
_EXECUTABLES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe")
_VERSION = re.compile(rb"(\d{1,9})\.(\d{1,9})\.(\d{1,9})")


def _version_from_help(program: Path) -> Version:
    """It is in a first line such as "TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3)"."""
    with temporary_file() as stderr:
        # Not --version: 4.4 and 4.6 crash on it where init.lua turns Lua off.
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
            stdin=subprocess.DEVNULL,  # else tshark would read the terminal, or the list of a shell loop over files
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "LC_ALL": "C", **environment},  # we recognise messages by their English text
        )
    except OSError as error:
        raise TsharkError(visible(f"{command[0]} cannot be started: {error.strerror}; {INSTALL}")) from None
