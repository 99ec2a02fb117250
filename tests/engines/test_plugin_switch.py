"""An installed plugin judges only where a preference says so. Where it shows less than asked for, it says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import FORGED, GENUINE
from support.wiresharks import Wireshark, available

from generator.profile import PROFILE_NAME
from generator.profile_files import render_profile

PLUGIN = Path(__file__).parents[2] / "plugins" / "rstorigin.lua"
VERDICTS = ("-T", "fields", "-e", "rstorigin.verdict")
JUDGE = ("-o", "rstorigin.judge:TRUE")
WHOLE_FILE = ("-2", "-Y", "rstorigin.verdict")
EVERY_WIRESHARK = pytest.mark.parametrize(
    "wireshark",
    [
        pytest.param(each, marks=[pytest.mark.versions] if number else [], id=str(each))
        for number, each in enumerate(available())
    ],
)


def words(text: str) -> list[str]:
    """The lines that are not empty."""
    return [line for line in text.splitlines() if line]


@EVERY_WIRESHARK
def test_off_it_opens_no_field_and_adds_nothing(wireshark: Wireshark) -> None:
    """The default: a run that does not ask for its fields is as it would be without it."""
    off = wireshark.tshark("-r", FORGED, plugins=[PLUGIN], judge=False)
    assert off.stderr == ""
    assert off.stdout == wireshark.tshark("-r", FORGED).stdout
    vxlan = wireshark.tshark("-G", "decodes", plugins=[PLUGIN], judge=False).stdout
    assert vxlan == wireshark.tshark("-G", "decodes").stdout


@EVERY_WIRESHARK
@pytest.mark.parametrize("options", [("-Y", "rstorigin.verdict"), WHOLE_FILE, VERDICTS])
def test_off_it_says_so_where_its_fields_are_asked_for(wireshark: Wireshark, options: tuple[str, ...]) -> None:
    off = wireshark.tshark("-r", FORGED, *options, plugins=[PLUGIN], judge=False)
    assert words(off.stdout) == []
    assert off.stderr == (
        f'rstorigin: the plugin is off in this profile: add -C "{PROFILE_NAME}", or -o rstorigin.judge:TRUE\n'
    )


@EVERY_WIRESHARK
def test_a_preference_or_the_profile_switches_it_on(wireshark: Wireshark, tmp_path: Path) -> None:
    profile = tmp_path / "wireshark" / "profiles" / PROFILE_NAME
    profile.mkdir(parents=True)
    for name, text in render_profile().items():
        (profile / name).write_text(text, encoding="utf-8")
    run = {"plugins": [PLUGIN], "judge": False}
    by_script = wireshark.tshark(*WHOLE_FILE, *VERDICTS, "-r", FORGED, scripts=[PLUGIN])
    by_preference = wireshark.tshark(*WHOLE_FILE, *VERDICTS, *JUDGE, "-r", FORGED, **run)  # type: ignore[arg-type]
    by_profile = wireshark.tshark(
        *("-C", PROFILE_NAME, *WHOLE_FILE, *VERDICTS, "-r", FORGED),
        plugins=[PLUGIN],
        configuration=tmp_path / "wireshark",
    )
    assert words(by_script.stdout)[0] == "forged"
    assert by_script.stdout == by_preference.stdout == by_profile.stdout
    assert by_script.stderr == by_preference.stderr == by_profile.stderr == ""


@EVERY_WIRESHARK
def test_a_preference_prints_the_summary(wireshark: Wireshark) -> None:
    """It is that of the script, and needs neither -2 nor another preference."""
    options = ("-q", "-r", FORGED)
    by_script = wireshark.tshark(*options, "-X", "lua_script1:summary", scripts=[PLUGIN])
    summary = wireshark.tshark(*options, "-o", "rstorigin.summary:TRUE", plugins=[PLUGIN], judge=False)
    assert "1 forged" in " ".join(summary.stdout.split())
    assert summary.stdout == by_script.stdout
    assert summary.stderr == ""


@EVERY_WIRESHARK
@pytest.mark.parametrize("options", [(), ("-Y", "rstorigin.verdict"), VERDICTS])
def test_one_pass_warns_once_that_verdicts_are_weaker(wireshark: Wireshark, options: tuple[str, ...]) -> None:
    one = wireshark.tshark("-r", FORGED, *options, plugins=[PLUGIN])
    assert one.stderr == (
        "rstorigin: each verdict uses only the packets before the reset, since tshark read them once; "
        "for verdicts that use the whole file: -2 with a display filter, such as -Y rstorigin.verdict\n"
    )


@EVERY_WIRESHARK
def test_no_warning_where_no_verdict_is_weaker(wireshark: Wireshark) -> None:
    assert wireshark.tshark("-r", FORGED, "-c", "1", plugins=[PLUGIN]).stderr == ""  # a SYN
    assert wireshark.tshark("-r", GENUINE, *WHOLE_FILE, plugins=[PLUGIN]).stderr == ""
