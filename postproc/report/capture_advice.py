"""What to capture next to be surer, from what the capture does not show: the rulebook's [[advice]]."""

from __future__ import annotations

from collections.abc import Mapping

from heuristics.observables.vocabulary import Value
from heuristics.rulebook.model import Rulebook


def advise(rulebook: Rulebook, observation: Mapping[str, Value]) -> tuple[str, ...]:
    """What to do next time, most useful first, each sentence once. `observation` holds verdict and origin too."""
    advices = (rulebook.advices[index] for index in rulebook.which_advices(observation))
    return tuple(dict.fromkeys(advice.say.render(observation) for advice in advices))
