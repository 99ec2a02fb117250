"""Random expressions over the test vocabulary of lua_interpreters, and observations for them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from heuristics.errors import (
    ExpressionMagnitudeError,
)
from heuristics.language.expressions import (
    MAX_OBSERVABLE,
    parse,
)
from heuristics.observables.vocabulary import Value
from support.lua_interpreters import BOOLS, INTS, STRS, VOCABULARY

edges = st.sampled_from([0, 1, -1, 2, 255, 65536, MAX_OBSERVABLE, -MAX_OBSERVABLE])
numbers = edges | st.integers(-MAX_OBSERVABLE, MAX_OBSERVABLE) | st.integers(-4, 4)
words = st.sampled_from(["", "x", "later", 'a"b', "a'b", "]]", "a\\", "--", "\\n"])


def _integers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from("+-"), inner).map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
        inner.map(lambda e: f"-{e}"),
        inner.map(lambda e: f"abs({e})"),
        pairs.map(lambda t: f"min({t[0]}, {t[1]})"),
        pairs.map(lambda t: f"max({t[0]}, {t[1]}, 3)"),
    )


integer_terms = st.recursive(st.sampled_from(INTS) | st.integers(0, 300).map(str), _integers, max_leaves=4)
string_terms = st.sampled_from(STRS) | words.map(repr)
signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
sets = st.sampled_from(["in", "not in"])


def _listed(values: Sequence[object]) -> str:
    return "{" + ", ".join(map(repr, values)) + "}"


atoms = st.one_of(
    st.sampled_from(BOOLS),
    st.sampled_from([*INTS, *STRS, *BOOLS]).map(lambda name: f"known({name})"),
    st.tuples(integer_terms, signs, integer_terms).map(" ".join),
    st.tuples(integer_terms, signs, integer_terms, signs, integer_terms).map(" ".join),
    st.tuples(string_terms, st.sampled_from(["==", "!="]), string_terms).map(" ".join),
    st.tuples(integer_terms, sets, st.lists(numbers, min_size=1, max_size=3).map(_listed)).map(" ".join),
    st.tuples(string_terms, sets, st.lists(words, min_size=1, max_size=3).map(_listed)).map(" ".join),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" and ".join),
        st.lists(inner, min_size=2, max_size=3).map(" or ".join),
        inner.map(lambda e: f"not {e}"),
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"not ({e})"),
    ),
    max_leaves=5,
)


def parses(source: str) -> bool:
    try:
        parse(source, VOCABULARY)
    except ExpressionMagnitudeError:
        return False
    return True


def observations_of(numbers_: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Value]]:
    some: dict[str, st.SearchStrategy[Value]] = {
        **dict.fromkeys(INTS, numbers_),
        **dict.fromkeys(STRS, words),
        **dict.fromkeys(BOOLS, st.booleans()),
    }
    holed = {name: st.one_of(values, values, values, st.none()) for name, values in some.items()}
    return st.fixed_dictionaries(some) | st.fixed_dictionaries(holed)


observations = observations_of(numbers) | observations_of(st.integers(-3, 3))
cases_of = st.lists(st.tuples(conditions.filter(parses), observations), min_size=1, max_size=30)
