"""Fitting rule weights: logistic regression with bounds, and how far a rule that misfires may weigh. Pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import beta

CONFIDENCE = 0.95
FALSE_ACCUSATION_COST = 10.0  # misses
STRENGTH = 0.05  # of the pull towards a rule's own likelihood ratio, per squared nat; a mechanism's whole loss counts 1
LEAST_RATE = 0.005  # a rule that never fired may fire in one of 200 cases
MOST = 450  # centi-nats: what alone is called forged; no single sign carries more

Matrix = NDArray[np.float64]


def sample_weights(groups: Sequence[Hashable], forged: Sequence[bool]) -> Matrix:
    """What each reset counts: mechanisms of one truth alike, however many resets each has; all genuine ones together
    `FALSE_ACCUSATION_COST` times as much as all forged ones.
    """
    sizes = Counter(groups)
    kinds = Counter(dict(zip(groups, forged, strict=True)).values())
    scale = {True: 1.0, False: FALSE_ACCUSATION_COST * kinds[True] / max(kinds[False], 1)}
    return np.array([scale[truth] / sizes[group] for group, truth in zip(groups, forged, strict=True)])


def likelihood_ratios(fired: Matrix, forged: NDArray[np.bool_], sample: Matrix) -> Matrix:
    """What each rule would weigh (nats) if it were the only one: ln of how much more often it fires on forged resets.

    Both rates are means over mechanisms, with `LEAST_RATE` added to each.
    """
    rates = [sample[of] @ fired[of] / sample[of].sum() + LEAST_RATE for of in (forged, ~forged)]
    return np.asarray(np.log(rates[0] / rates[1]))


def fit(
    fired: Matrix, forged: NDArray[np.bool_], sample: Matrix, prior: int, bounds: Sequence[tuple[int, int]]
) -> list[int]:
    """Weights (centi-nats), one for each column of `fired` (resets x rules, 0 or 1), within `bounds`.

    The score is prior + fired @ weights, as in a verdict; the prior stays as it is, since the limits of the verdicts
    are counted from it. Rules that fire together share what they tell: each is pulled to its own likelihood ratio.
    """
    sign = np.where(forged, 1.0, -1.0)
    limits = [(low / 100, high / 100) for low, high in bounds]
    alone = np.clip(likelihood_ratios(fired, forged, sample), *np.array(limits).T)

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        margin = sign * (prior / 100 + fired @ weights)
        slope = -sign * sample * np.exp(-np.logaddexp(0.0, margin))
        away = weights - alone
        value = float(sample @ np.logaddexp(0.0, -margin) + STRENGTH / 2 * away @ away)
        return value, np.asarray(fired.T @ slope + STRENGTH * away)

    found = minimize(loss, alone, jac=True, method="L-BFGS-B", bounds=limits)
    return [round(100 * weight) for weight in found.x]


def most_weight(false_fires: int, genuine: int) -> int:
    """The most (centi-nats) that a rule may weigh which fired on so many of so many genuine resets.

    100 ln(1/p), p the upper end of the Clopper-Pearson interval of the false-fire rate; at most `MOST`.
    """
    if false_fires >= genuine:
        return 0 if genuine else MOST
    rate = float(beta.ppf(CONFIDENCE, false_fires + 1, genuine - false_fires))
    return min(MOST, round(100 * math.log(1 / rate)))
