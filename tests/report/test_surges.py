"""Surges: when, how large, who, and what they look like. What varies as usual is none."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.judged_by_hand import GENUINE, judged_reset

from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import CapturePoint
from postproc.report.answer import answer
from postproc.report.formats import whole_json
from postproc.report.summary import Summary, summarise
from postproc.report.surges import _median, find_surges, idle_timeouts
from postproc.runtime.clock import IN_UTC
from postproc.verdicts.result_row import JudgedReset, ResetRow

BEGAN, HOUR = 1_700_000_000, 3600
SERVER = "203.0.113.1"


def resets(times: Iterable[float], **values: object) -> list[JudgedReset]:
    """Resets at these times (seconds after BEGAN), each of a connection of its own."""
    return [
        judged_reset(frame=index + 1, time=BEGAN + time, flow=f"tcp.port == {index}", dport=1024 + index, **values)
        for index, time in enumerate(times)
    ]


def rows(times: Iterable[float], **values: object) -> list[ResetRow]:
    return [reset.row for reset in resets(times, **values)]


def summary(judged: Sequence[JudgedReset], hours: float = 10) -> Summary:
    point = CapturePoint((), BEGAN * 1_000_000, round((BEGAN + hours * HOUR) * 1_000_000))
    return summarise([CaptureResult("a.pcap", 1, tuple(judged), (), capture_point=point)], load(), 3)


def poisson(per_minute: float, minutes: int, seed: int = 1) -> list[float]:
    """Times of events that have nothing to do with one another."""
    chance, times, now = random.Random(seed), [], 0.0
    while (now := now + chance.expovariate(per_minute / 60)) < minutes * 60:
        times.append(now)
    return times


def test_a_surge_has_its_time_its_size_and_its_sender() -> None:
    usual, more = poisson(4, 600), [5 * HOUR + second for second in range(0, 180, 2)]
    (surge,) = find_surges({SERVER: rows([*usual, *more], **GENUINE)}, [(BEGAN, BEGAN + 10 * HOUR)])
    assert surge.who == SERVER
    assert abs(surge.begin - (BEGAN + 5 * HOUR)) < 60
    assert abs(surge.end - (BEGAN + 5 * HOUR + 180)) < 60
    assert 90 <= surge.resets < 120
    assert 25 <= surge.peak <= 45
    assert (surge.usual, surge.seconds) == (4, 60)


@pytest.mark.parametrize("rate", [0.05, 0.5, 3, 40])
def test_what_varies_by_chance_is_no_surge(rate: float) -> None:
    for seed in range(5):
        found = find_surges({SERVER: rows(poisson(rate, 1440, seed))}, [(BEGAN, BEGAN + 24 * HOUR)])
        assert found == ()


def test_a_rare_sender_has_a_surge_where_a_frequent_one_has_none() -> None:
    more = [HOUR + second for second in range(12)]
    covered = [(BEGAN, BEGAN + 10 * HOUR)]
    assert len(find_surges({SERVER: rows(more)}, covered)) == 1
    assert find_surges({SERVER: rows([*poisson(50, 600), *more])}, covered) == ()


def test_short_captures_are_counted_by_the_second_or_not_at_all() -> None:
    times = [30 + index / 20 for index in range(20)]
    (surge,) = find_surges({SERVER: rows(times)}, [(BEGAN, BEGAN + 60)])
    assert surge.seconds == 1
    assert find_surges({SERVER: rows(times)}, [(BEGAN + 30, BEGAN + 31)]) == ()
    assert find_surges({}, []) == ()


def test_a_surge_of_two_captures_with_a_night_between_is_no_surge_of_the_night() -> None:
    covered = [(BEGAN, BEGAN + HOUR), (BEGAN + 20 * HOUR, BEGAN + 21 * HOUR)]
    steady = [*range(0, HOUR, 2), *range(20 * HOUR, 21 * HOUR, 2)]
    assert find_surges({SERVER: rows(steady)}, covered) == ()


def test_a_restart_is_named() -> None:
    refused = [2 * HOUR + index / 2 for index in range(60)]
    found = summary(resets(refused, **{**GENUINE, "stage": "post-syn"}))
    (surge,) = found.surges
    assert surge.pattern == "a restart: port 443 refused connections only then"
    assert any("It looks like a restart" in sentence for sentence in answer(found, IN_UTC))
    # Refusals at other times too: nothing was restarted, the port is closed.
    closed = resets([*refused, *(HOUR * hour for hour in range(1, 9))], **{**GENUINE, "stage": "post-syn"})
    assert [surge.pattern for surge in summary(closed).surges] == [""]
    # The capture begins with the surge: it may have been so for long.
    early = resets([time - 2 * HOUR for time in refused], **{**GENUINE, "stage": "post-syn"})
    assert [surge.pattern for surge in summary(early).surges] == [""]


def test_refusals_of_many_ports_are_a_scan_and_no_restart() -> None:
    scan = [
        judged_reset(frame=port, time=BEGAN + 2 * HOUR + port / 200, flow=f"tcp.port == {port}", sport=port, **refusal)
        for refusal in [{**GENUINE, "stage": "post-syn"}]
        for port in range(1, 401)
    ]
    (surge,) = summary(scan).surges
    assert surge.pattern == "a port scan: 400 ports refused connections"


def test_a_rule_about_content_is_no_failover() -> None:
    blocked = [
        judged_reset(
            frame=index, time=BEGAN + 2 * HOUR + index, src=f"203.0.113.{index % 8}", flow=str(index), stage="post-psh"
        )
        for index in range(40)
    ]
    (surge,) = summary(blocked).surges
    assert surge.pattern == ""


def test_a_failover_is_named() -> None:
    times = [2 * HOUR + index / 10 for index in range(40)]
    lost = [
        judged_reset(frame=index, time=BEGAN + time, src=f"203.0.113.{index % 8}", flow=str(index), stage="later")
        for index, time in enumerate(times)
    ]
    found = summary(lost)
    (surge,) = found.surges
    assert surge.pattern == "a firewall that lost its connections: a failover or a restart"
    assert (surge.hosts, surge.resets) == (8, 40)
    one_host = summary([judged_reset(frame=i, time=BEGAN + t, flow=str(i), stage="later") for i, t in enumerate(times)])
    assert [surge.pattern for surge in one_host.surges] == [""]


def test_an_idle_timeout_is_named() -> None:
    silences = [300_000_000 + 150_000 * index for index in range(12)]
    timed = [row for index, us in enumerate(silences) for row in rows([index * 700], silence_us=us)]
    short = rows(range(30), silence_us=20_000)
    (found,) = idle_timeouts({SERVER: [*timed, *short]})
    assert (found.resets, found.shortest_us) == (12, 300_000_000)
    assert found.sentence == (f"12 resets of {SERVER} came after 300 s of silence or a little more: an idle timeout.")
    scattered = [row for us in range(10, 400, 30) for row in rows([us], silence_us=us * 1_000_000)]
    assert idle_timeouts({SERVER: scattered}) == ()
    assert idle_timeouts({SERVER: timed[:4]}) == ()


@given(values=st.lists(st.integers(0, 9), max_size=20), value=st.integers(0, 3), times=st.integers(1, 20))
def test_the_median_of_repeated_values(values: list[int], value: int, times: int) -> None:
    assert _median({value: times}, values) == statistics.median([*values, *[value] * times])


def test_json_and_the_answer_have_them() -> None:
    found = summary(resets([2 * HOUR + index / 2 for index in range(60)], silence_us=300_000_000))
    content = json.loads(whole_json(found))
    assert content["surges"][0]["resets"] == 60
    assert content["idle_timeouts"][0]["resets"] == 60
    assert any(sentence.startswith("Surge on 2023-11-15 from 00:13:20") for sentence in content["answer"])


@given(times=st.lists(st.floats(0, 36_000), max_size=60), width=st.floats(0, 36_000))
def test_every_surge_is_made_of_its_resets(times: list[float], width: float) -> None:
    every = rows(times)
    for surge in find_surges({SERVER: every}, [(BEGAN, BEGAN + width)]):
        inside = [row for row in every if surge.begin <= row.time <= surge.end]
        assert len(inside) >= surge.resets >= surge.peak >= 10
        assert surge.peak > surge.usual
