"""The ratio of two rates of rare events, with an exact confidence interval.

Given how many events there are in both periods together, those of the second one are binomial (Przyborowski and
Wilenski, Biometrika 1940). The interval is that of Clopper and Pearson (Biometrika 1934).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class RateRatio:
    """The rate after, divided by the rate before; `low` and `high` are the limits of its 95 % confidence interval.

    `ratio` is None where there was no event before. `high` is infinite where there may have been none.
    """

    ratio: float | None
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the rate has changed, beyond what chance explains."""
        return self.low > 1 or self.high < 1


def rate_ratio(before: int, after: int, exposure_before: float, exposure_after: float) -> RateRatio:
    """The ratio for these numbers of events. `exposure_...` is what they are counted against: hours, or packets.

    Events must not cause one another. Raises ValueError where an exposure is not positive.
    """
    if exposure_before <= 0 or exposure_after <= 0:
        raise ValueError("a rate needs an exposure above zero")
    from scipy.special import betaincinv  # slow to import

    total, tail, scale = before + after, (1 - _CONFIDENCE) / 2, exposure_before / exposure_after
    low = float(betaincinv(after, before + 1, tail)) if after else 0.0
    high = float(betaincinv(after + 1, before, 1 - tail)) if before else 1.0
    return RateRatio(
        ratio=after / before * scale if before else None,
        low=_odds(low) * scale if total else 0.0,
        high=_odds(high) * scale if total else math.inf,
    )


def _odds(share: float) -> float:
    return math.inf if share >= 1 else share / (1 - share)
