"""`rstorigin annotate`: comments appear, and nothing else of the capture changes."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, rows, run
from support.wiresharks import Wireshark, available

from postproc.capture.file_format import INTERFACE, PACKET, SECTION, SIMPLE_PACKET
from postproc.copies.annotate import MARK, Comment, annotate
from postproc.copies.blocks import block, option
from postproc.runtime.errors import CaptureError

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.pcap"))
CAPTURES = [*EXAMPLES, SITUATIONS / "client-aborts-ipv6.pcap", LAB / "04_icmp.client.pcap"]
PCAP_HEADER = 24


def fields(capture: Path, *names: str, wireshark: Wireshark | None = None) -> list[list[str]]:
    """The fields of every packet, as tshark reads them."""
    options = [word for name in names for word in ("-e", name)]
    reader = wireshark or next(each for each in available() if each.root is None)
    result = reader.tshark("-r", capture, "-T", "fields", *options)
    assert result.returncode == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


def packets_by_editcap(capture: Path, folder: Path) -> bytes:
    """All packets with times and lengths, as editcap writes them into a pcap."""
    back = folder / "back.pcap"
    subprocess.run(["editcap", "-F", "pcap", str(capture), str(back)], check=True, capture_output=True)
    return back.read_bytes()[PCAP_HEADER:]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_packet_stays_and_every_judged_one_has_its_comment(capture: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcapng"
    result = run("annotate", capture, "-o", copy)
    assert (result.exit_code, result.output) == (0, "")
    assert packets_by_editcap(copy, tmp_path) == packets_by_editcap(capture, tmp_path)
    judged = {row["frame"]: row for row in rows(capture)}
    commented = {frame: comment for frame, comment in fields(copy, "frame.number", "frame.comment") if comment}
    assert commented.keys() == judged.keys()
    for frame, comment in commented.items():
        row = judged[frame]
        assert comment.startswith(
            f"{MARK}{row['verdict']}, suspicion {row['suspicion']} of 100, origin {row['origin']}"
        )
        for part in ("where", "device", "cause", "reason"):
            assert row[part].strip("'") in comment
    assert rows(copy) == [row | {"capture": copy.as_posix()} for row in rows(capture)]


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
def test_every_wireshark_reads_the_comments(wireshark: Wireshark, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcapng"
    run("annotate", FORGED, "-o", copy)
    shown = fields(copy, "frame.number", "frame.comment", wireshark=wireshark)
    assert [frame for frame, comment in shown if MARK in comment] == [row["frame"] for row in rows(FORGED)]


def test_only_some_verdicts_and_again_with_others(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pcapng", tmp_path / "second.pcapng"
    assert run("annotate", FORGED, "-o", first, "--only", "forged,likely-forged").exit_code == 0
    assert [frame for frame, text in fields(first, "frame.number", "frame.comment") if text] == ["2"]
    assert run("annotate", first, "-o", second, "--only", "genuine").exit_code == 0
    assert [frame for frame, text in fields(second, "frame.number", "frame.comment") if text] == ["11", "12"]
    whole, again = tmp_path / "whole.pcapng", tmp_path / "again.pcapng"
    run("annotate", FORGED, "-o", whole)
    run("annotate", second, "-o", again)
    assert again.read_bytes() == whole.read_bytes()


def test_what_cannot_be_annotated(tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcapng"
    for arguments, words in (
        ((GENUINE, "-o", GENUINE), "is an input and would be overwritten"),
        ((GENUINE, "-o", copy, "--only", "fake"), "--only: there is no verdict 'fake'"),
        ((GENUINE, "-o", copy, "--key", GENUINE), "--key belongs to --anonymize"),
        ((SITUATIONS / "netscaler-policy.cap", "-o", copy), "is neither pcap nor pcapng"),
        ((SITUATIONS, "-o", copy), "is a folder"),
        ((tmp_path / "none.pcap", "-o", copy), "does not exist"),
    ):
        result = run("annotate", *arguments)
        assert result.exit_code == 2
        assert words in result.output
        assert not copy.exists()


def test_a_compressed_capture_and_one_that_is_cut_short(tmp_path: Path) -> None:
    whole, packed, cut = tmp_path / "whole.pcapng", tmp_path / "packed.pcap.gz", tmp_path / "cut.pcap"
    run("annotate", FORGED, "-o", whole)
    packed.write_bytes(gzip.compress(FORGED.read_bytes()))
    assert run("annotate", packed, "-o", tmp_path / "unpacked.pcapng").exit_code == 0
    assert (tmp_path / "unpacked.pcapng").read_bytes() == whole.read_bytes()
    cut.write_bytes(FORGED.read_bytes()[:-5])
    result = run("annotate", cut, "-o", tmp_path / "part.pcapng")
    assert result.exit_code == 1
    assert "cut short" in result.output
    assert whole.read_bytes().startswith((tmp_path / "part.pcapng").read_bytes()[:400])
    assert len(fields(tmp_path / "part.pcapng", "frame.number")) == len(fields(FORGED, "frame.number")) - 1


# Blocks that no program of ours writes, in both byte orders.
ARP = b"\x02\0\0\0\0\x01" + b"\x02\0\0\0\0\x02" + b"\x08\x06" + bytes(45)


def section(order: str) -> bytes:
    return block(order, SECTION, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + option(order, 4, b"dumper"))


def interface(order: str, resolution: int = 6) -> bytes:
    options = option(order, 2, b"eth0") + option(order, 9, bytes([resolution])) + option(order, 0, b"")
    return block(order, INTERFACE, struct.pack(f"{order}HHI", 1, 0, 0) + options)


def packet(order: str, *options: tuple[int, bytes], interface_: int = 0, time: int = 7, data: bytes = ARP) -> bytes:
    head = struct.pack(f"{order}IIIII", interface_, 0, time, len(data), len(data) + 5)
    ended = [*options, (0, b"")] if options else []
    body = head + data + bytes(-len(data) % 4) + b"".join(option(order, *each) for each in ended)
    return block(order, PACKET, body)


def old_packet(order: str, *options: tuple[int, bytes]) -> bytes:
    head = struct.pack(f"{order}HHIIII", 0, 3, 0, 7, len(ARP), len(ARP))
    ended = [*options, (0, b"")] if options else []
    return block(order, 2, head + ARP + bytes(-len(ARP) % 4) + b"".join(option(order, *each) for each in ended))


def simple_packet(order: str) -> bytes:
    return block(order, SIMPLE_PACKET, struct.pack(f"{order}I", len(ARP)) + ARP + bytes(-len(ARP) % 4))


def annotated(folder: Path, content: bytes, comments: dict[int, str], time_us: int = 7) -> bytes:
    source, target = folder / "in.pcapng", folder / "out.pcapng"
    source.write_bytes(content)
    with target.open("wb") as file:
        annotate(source, {frame: Comment(text, time_us) for frame, text in comments.items()}, file)
    return target.read_bytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_blocks_options_and_other_comments_stay(order: str, tmp_path: Path) -> None:
    names = block(order, 4, struct.pack(f"{order}HH", 0, 0))
    custom = block(order, 0xBAD, struct.pack(f"{order}I", 32473) + b"data")
    unknown, secrets = (
        block(order, 0x7777, b"some"),
        block(order, 10, struct.pack(f"{order}II", 0x544C534B, 4) + b"key\n"),
    )
    statistics = block(order, 5, struct.pack(f"{order}III", 0, 0, 9))
    theirs, flags = (1, b"a comment of another"), (2, b"\1\0\0\0")
    ours = (1, f"{MARK}forged".encode())
    before = [section(order), interface(order), interface(order, 9), names, secrets, packet(order), custom, unknown]
    after = [
        simple_packet(order),
        old_packet(order, flags),
        statistics,
        section("<"),
        interface("<"),
        packet("<", time=9),
    ]
    plain = [*before, packet(order, theirs, flags), packet(order, interface_=1, time=7_000), *after]
    content = b"".join(plain)
    assert annotated(tmp_path, content, {}) == content
    # Frame 2 is the custom block, frame 5 the simple packet, which has no place for a comment.
    expected = [*plain]
    expected[8] = packet(order, theirs, flags, ours)
    expected[9] = packet(order, ours, interface_=1, time=7_000)
    expected[11] = old_packet(order, flags, ours)
    first = annotated(tmp_path, content, {3: "forged", 4: "forged", 5: "forged", 6: "forged"})
    assert first == b"".join(expected)
    assert annotated(tmp_path, first, {3: "forged", 4: "forged", 6: "forged"}) == first
    assert annotated(tmp_path, first, {}) == content
    assert annotated(tmp_path, first, {7: "forged"}, 9) == content.removesuffix(plain[-1]) + packet("<", ours, time=9)


def test_packets_that_cannot_be_commented_are_counted(tmp_path: Path) -> None:
    damaged = packet("<")[:-4] + b"\1\0\xff\xff" + struct.pack("<I", len(packet("<")) + 4)
    damaged = damaged[:4] + struct.pack("<I", len(damaged)) + damaged[8:]
    source = tmp_path / "in.pcapng"
    source.write_bytes(section("<") + interface("<") + simple_packet("<") + damaged + packet("<"))
    with (tmp_path / "out.pcapng").open("wb") as file:
        result = annotate(source, dict.fromkeys((1, 2, 3), Comment("forged", 7)), file)
    assert (result.commented, result.impossible) == (1, (1, 2))
    assert (tmp_path / "out.pcapng").read_bytes().startswith(source.read_bytes()[: -len(packet("<"))])


def test_a_comment_does_not_go_to_another_packet(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="frame 1 is another packet than the one that was judged"):
        annotated(tmp_path, section("<") + interface("<") + packet("<", time=70), {1: "forged"})


def test_a_comment_has_at_most_what_an_option_holds(tmp_path: Path) -> None:
    result = annotated(tmp_path, section("<") + interface("<") + packet("<"), {1: "é" * 70_000})
    (shown,) = fields(tmp_path / "out.pcapng", "frame.comment")
    assert shown[0].endswith("é ...")
    assert len(result) < 66_000


@given(
    parts=st.lists(
        st.one_of(
            st.builds(
                lambda options, data: packet("<", *options, data=data),
                st.lists(st.tuples(st.sampled_from([1, 2, 4, 2988]), st.binary(max_size=20)), max_size=3),
                st.binary(max_size=70),
            ),
            st.just(simple_packet("<")),
            st.builds(lambda body: block("<", 0x7777, body * 4), st.binary(max_size=9)),
        ),
        max_size=12,
    ),
    tail=st.binary(max_size=30),
    frames=st.sets(st.integers(1, 12)),
)
def test_without_our_comments_the_copy_is_the_capture(
    parts: list[bytes], tail: bytes, frames: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = section("<") + interface("<") + b"".join(parts) + tail
    folder = tmp_path_factory.getbasetemp()
    first = annotated(folder, content, dict.fromkeys(frames, "forged"))
    assert annotated(folder, first, {}) == content
    assert annotated(folder, first, dict.fromkeys(frames, "forged")) == first


def test_captures_from_both_ends_count_with_a_case(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    shutil.copytree(EXAMPLES[0].parents[1] / "firewall-log", folder)
    client, server = folder / "client.pcap", folder / "server.pcap"
    both = {row["frame"]: row for row in rows(client, server, "--no-cache") if row["capture"] == client.as_posix()}
    assert any("never_left" in row["evidence"] for row in both.values())
    for case in (server, client.parent):  # another capture, or the folder that holds both
        copy = tmp_path / "copy.pcapng"
        result = run("annotate", client, "-o", copy, "--case", case)
        assert result.exit_code == 0
        commented = {frame: comment for frame, comment in fields(copy, "frame.number", "frame.comment") if comment}
        assert commented.keys() == both.keys()
        for frame, comment in commented.items():
            assert comment.startswith(f"{MARK}{both[frame]['verdict']}, suspicion {both[frame]['suspicion']} of 100")
        assert packets_by_editcap(copy, tmp_path) == packets_by_editcap(client, tmp_path)


def test_a_case_has_the_real_addresses(tmp_path: Path) -> None:
    result = run("annotate", FORGED, "-o", tmp_path / "copy.pcapng", "--anonymize", "--case", GENUINE)
    assert (result.exit_code, "--case and --anonymize exclude each other" in result.stderr) == (2, True)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.write(FORGED, "inner.pcap")
    result = run("annotate", tmp_path / "a.zip", "-o", tmp_path / "copy.pcapng", "--case", GENUINE)
    assert (result.exit_code, "--case needs a capture in a file of its own" in result.stderr) == (2, True)
    result = run("annotate", "-", "-o", tmp_path / "copy.pcapng", "--case", GENUINE)
    assert (result.exit_code, "--case needs a capture in a file" in result.stderr) == (2, True)
