"""The shell command that traces resets on this kernel, made of the tracepoints that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from postproc.runtime.errors import UsageError

TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
INSTANCE = "rstorigin"  # the name of our own trace buffer
_RESETS = ("tcp_send_reset", "tcp_receive_reset")
_SYMBOL = re.compile(r"\{ (\d+), \"(\w+)\" \}")


class Tool(StrEnum):
    """What traces: the kernel's own files need no program."""

    TRACEFS = "tracefs"
    PERF = "perf"
    BPFTRACE = "bpftrace"


@dataclass(frozen=True, slots=True)
class Kernel:
    """What this kernel can trace. `firewall_drop` is its number for packets that netfilter drops, None without one.

    `reasons` are the names of the reasons for resets by number, empty before Linux 6.10. `known`: the tracepoints were
    read, not guessed from the version.
    """

    send_reset: bool
    receive_reset: bool
    firewall_drop: int | None
    reasons: dict[int, str]
    known: bool


def this_kernel(release: str, folders: tuple[Path, ...] = TRACEFS) -> Kernel:
    """The kernel of this machine, by its tracepoints; where they cannot be read, by its `release` (6.1.0-18-amd64)."""
    for folder in folders:
        events = folder / "events"
        try:
            present = {name for name in _RESETS if (events / "tcp" / name).is_dir()}
            if not present:
                continue
            send = (events / "tcp" / "tcp_send_reset" / "format").read_text(encoding="utf-8")
            drop = (events / "skb" / "kfree_skb" / "format").read_text(encoding="utf-8")
        except OSError:
            continue
        by_name = {name: int(number) for number, name in _SYMBOL.findall(drop)}
        named = send.partition("REC->reason")[2]
        reasons = {int(number): name for number, name in _SYMBOL.findall(named)}
        return Kernel(
            "tcp_send_reset" in present, "tcp_receive_reset" in present, by_name.get("NETFILTER_DROP"), reasons, True
        )
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    return Kernel(version >= (4, 16), version >= (4, 16), None, {}, False)


def command(kernel: Kernel, tool: Tool) -> str:
    """The command: it writes resets.txt until Ctrl-C. Raises UsageError where the kernel has no such tracepoint."""
    if not (kernel.send_reset and kernel.receive_reset):
        raise UsageError("this kernel has no tracepoint tcp:tcp_send_reset: Linux 4.16 or newer is needed")
    match tool:
        case Tool.TRACEFS:
            return _tracefs(kernel)
        case Tool.PERF:
            return _perf(kernel)
        case Tool.BPFTRACE:
            return _bpftrace(kernel)


def _drop_filter(kernel: Kernel) -> str:
    """Which dropped packets to trace: those of the firewall. Before Linux 6.10 all, as only they have a reason."""
    return f"reason == {kernel.firewall_drop}" if kernel.reasons else "protocol != 0"


def _tracefs(kernel: Kernel) -> str:
    """An instance of its own leaves alone what else is traced, and takes everything with it when it is removed."""
    steps = [f"echo 1 > events/tcp/{name}/enable" for name in _RESETS]
    if kernel.firewall_drop is not None:
        drops = "events/skb/kfree_skb"
        steps += [f'echo "{_drop_filter(kernel)}" > {drops}/filter', f"echo 1 > {drops}/enable"]
    return (
        f"sudo sh -c 'mount -t tracefs tracefs {TRACEFS[0]} 2>/dev/null; cd {TRACEFS[0]}/instances && "
        f"mkdir -p {INSTANCE} && cd {INSTANCE} || exit 1; {'; '.join(steps)}; trap : INT TERM HUP; cat trace_pipe; "
        f"cd .. && rmdir {INSTANCE}' > resets.txt"
    )


def _perf(kernel: Kernel) -> str:
    drops = ""
    if kernel.firewall_drop is not None:
        drops = f" -e skb:kfree_skb --filter '{_drop_filter(kernel)}'"
    events = " ".join(f"-e tcp:{name}" for name in _RESETS)
    return f"sudo perf record -a {events}{drops} -o resets.perf; sudo perf script -i resets.perf --ns > resets.txt"


def _bpftrace(kernel: Kernel) -> str:
    """It prints addresses from the bytes of the socket addresses; reasons are numbers, which the first line names."""
    named = " ".join(f"{number}={name}" for number, name in kernel.reasons.items())
    reason, value = (" reason=%d", ", args->reason") if kernel.reasons else ("", "")
    v4 = "src=%d.%d.%d.%d:%d dest=%d.%d.%d.%d:%d"
    v6 = "src=[{0}]:%d dest=[{0}]:%d".format(":".join(["%02x%02x"] * 8))

    def values(first: int, count: int) -> str:
        ends = []
        for name in ("$s", "$d"):
            ends += [f"{name}[{index}]" for index in range(first, first + count)] + [f"{name}[2] * 256 + {name}[3]"]
        return ", ".join(ends)

    sent = (
        "tracepoint:tcp:tcp_send_reset { $s = args->saddr; $d = args->daddr; "
        f'if ($s[0] == 2) {{ printf("%llu.%06llu: tcp_send_reset: {v4}{reason}\\n", nsecs / 1000000000, '
        f"nsecs / 1000 % 1000000, {values(4, 4)}{value}); }} "
        f'else {{ printf("%llu.%06llu: tcp_send_reset: {v6}{reason}\\n", nsecs / 1000000000, '
        f"nsecs / 1000 % 1000000, {values(8, 16)}{value}); }} }}"
    )
    received = (
        'tracepoint:tcp:tcp_receive_reset { printf("%llu.%06llu: tcp_receive_reset: sport=%d dport=%d saddr=%s '
        'daddr=%s saddrv6=%s daddrv6=%s\\n", nsecs / 1000000000, nsecs / 1000 % 1000000, args->sport, args->dport, '
        "ntop(args->saddr), ntop(args->daddr), ntop(args->saddr_v6), ntop(args->daddr_v6)); }"
    )
    names = f"echo '# reset reasons: {named}'; " if named else ""
    return f"{{ {names}sudo bpftrace -e '{sent} {received}'; }} > resets.txt"
