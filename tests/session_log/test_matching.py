"""Sessions without packets are counted by reason; clocks are compared robustly; nothing is lost."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postproc.session_log.clock_offset import clock_offset
from postproc.session_log.log_time import SECOND_US
from postproc.session_log.matching import Flows, Matching, SessionMatcher, Unmatched
from postproc.session_log.sessions import SESSION_SCHEMA, Batch

START_US = 1_796_063_255 * SECOND_US
CLIENT, SERVER, NAT = "192.0.2.1", "203.0.113.1", "198.51.100.1"


def flows(*ends: tuple[str, int, str, int, float]) -> Flows:
    """Flows of one capture of ten minutes, each of four seconds; the last number is when it begins (s)."""
    rows = [
        (0, index, *each[:4], START_US + round(each[4] * SECOND_US), START_US + round((each[4] + 4) * SECOND_US))
        for index, each in enumerate(ends)
    ]
    names = ["capture", "flow", "src", "sport", "dst", "dport", "first_us", "last_us"]
    return Flows(pl.DataFrame(rows, schema=names, orient="row"), {0: (START_US, START_US + 600 * SECOND_US)})


Row = dict[str, object]


def session(line: int, src: str, sport: int, dst: str, dport: int, at: float | None, **more: object) -> Row:
    """A session of four seconds that begins at second `at`."""
    times = {}
    if at is not None:
        times = {"start_us": START_US + round(at * SECOND_US), "end_us": START_US + round((at + 4) * SECOND_US)}
    ends = {"src": src, "sport": sport, "dst": dst, "dport": dport}
    return {"line": line, "tcp": True, "claim": "nothing", **ends, **times, **more}


def matched(known: Flows, *sessions: dict[str, object], batch: int = 2) -> Matching:
    """What the matcher makes of these sessions."""
    matcher = SessionMatcher(known)
    for first in range(0, len(sessions), batch):
        matcher.add(Batch(pl.DataFrame(sessions[first : first + batch], schema=SESSION_SCHEMA), 1, [1000 + first]))
    return matcher.result(SECOND_US)


def reasons(matching: Matching) -> dict[Unmatched, tuple[int, int]]:
    return {reason: (count.lines, count.first_line) for reason, count in matching.unmatched.items()}


def test_a_session_matches_in_either_direction_and_by_translated_ends() -> None:
    known = flows((CLIENT, 4000, SERVER, 443, 1), (NAT, 5000, SERVER, 443, 1), (CLIENT, 4002, SERVER, 443, 1))
    matching = matched(
        known,
        session(1, CLIENT, 4000, SERVER, 443, 1),
        session(2, CLIENT, 4001, SERVER, 443, 1, nat_src=NAT, nat_sport=5000),
        session(3, SERVER, 443, CLIENT, 4002, 1),
    )
    pairs = matching.pairs.select("line", "flow", "translated").rows()
    assert pairs == [(1, 0, False), (2, 1, True), (3, 2, False)]
    assert matching.unmatched == {}
    assert (matching.sessions, matching.other, matching.not_understood.lines) == (3, 2, 2)
    assert matching.not_understood.first_line == 1000


def test_sessions_without_packets_by_reason() -> None:
    known = flows(*((CLIENT, 4000 + n, SERVER, 443, n) for n in range(4)))
    matching = matched(
        known,
        *(session(1 + n, CLIENT, 4000 + n, SERVER, 443, n) for n in range(4)),
        session(11, CLIENT, 9999, SERVER, 443, 30),
        session(12, CLIENT, 9999, SERVER, 443, 7200),
        session(13, NAT, 4001, SERVER, 443, 1),
        session(14, CLIENT, 4002, SERVER, 443, 300),
        session(15, CLIENT, 4002, SERVER, 443, 9000),
        session(16, CLIENT, 4000, SERVER, 443, 0, tcp=False),
        session(17, CLIENT, 4000, SERVER, 443, None),
    )
    assert matching.pairs["line"].to_list() == [1, 2, 3, 4]
    assert reasons(matching) == {
        Unmatched.NO_PACKETS: (1, 11),
        Unmatched.OUTSIDE: (2, 12),
        Unmatched.TRANSLATED: (1, 13),
        Unmatched.OTHER_TIME: (1, 14),
        Unmatched.NOT_TCP: (1, 16),
        Unmatched.NO_TIME: (1, 17),
    }


def test_of_connections_with_the_same_ports_the_nearest_in_time_is_taken() -> None:
    known = flows(*((CLIENT, 4000, SERVER, 443, at) for at in (0, 60, 120)), (CLIENT, 4001, SERVER, 443, 5))
    matching = matched(
        known, session(1, CLIENT, 4000, SERVER, 443, 60 + 30), session(2, CLIENT, 4001, SERVER, 443, 5 + 30)
    )
    assert matching.clocks[0].offset_us == 30 * SECOND_US
    assert matching.pairs.select("line", "flow").rows() == [(1, 1), (2, 3)]


@given(
    offset=st.integers(-14 * 3600, 14 * 3600),
    agreeing=st.integers(5, 40),
    noise=st.lists(st.integers(-(10**12), 10**12), max_size=8),
    jitter=st.randoms(use_true_random=False),
)
def test_the_offset_is_found_among_noise(offset: int, agreeing: int, noise: list[int], jitter: object) -> None:
    random = jitter.randrange  # type: ignore[attr-defined]
    near = [offset * SECOND_US + random(-SECOND_US, SECOND_US) for _ in range(agreeing + len(noise))]
    found = clock_offset(np.array(near + noise, dtype=np.int64), SECOND_US)
    assert found is not None
    assert abs(found.offset_us - offset * SECOND_US) <= 2 * SECOND_US
    assert found.agreeing >= agreeing


@pytest.mark.parametrize(
    ("differences", "offset"),
    [
        ([], None),
        ([5 * SECOND_US], 5 * SECOND_US),  # one session, and clocks that nearly agree
        ([7200 * SECOND_US + 300_000], 7200 * SECOND_US + 300_000),  # two hours: a time zone
        ([4000 * SECOND_US], None),  # chance
        ([4000 * SECOND_US] * 2, None),
        ([4000 * SECOND_US] * 3, 4000 * SECOND_US),
        ([40 * 3600 * SECOND_US], None),  # farther apart than any time zones
    ],
)
def test_few_sessions_give_an_offset_only_where_it_is_likely(differences: list[int], offset: int | None) -> None:
    found = clock_offset(np.array(differences, dtype=np.int64), SECOND_US)
    assert (found.offset_us if found else None) == offset
