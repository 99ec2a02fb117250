"""How far colours stand apart: contrast (WCAG 2.2) and difference (CIE76), also as colour-blind readers see them."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist

Triple = tuple[float, float, float]
_Matrix = tuple[Triple, Triple, Triple]

# Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG
# 2009: severity 1.0, on linear RGB.
SIGHT: dict[str, _Matrix] = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# Linear sRGB to CIE XYZ, and the white of D65 there (IEC 61966-2-1).
_XYZ: _Matrix = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE: Triple = (0.95047, 1.0, 1.08883)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (RRGGBB), 1-21; text needs 4.5 (WCAG 2.2, success criterion 1.4.3)."""
    dark, light = sorted(_times(_XYZ, _linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def difference(one: str, other: str, sight: str = "full") -> float:
    """How different two colours (RRGGBB) look: the distance in CIE L*a*b*, where 2.3 is just noticeable."""
    return dist(_lab(one, SIGHT[sight]), _lab(other, SIGHT[sight]))


def _linear(colour: str) -> Triple:
    shares = [byte / 255 for byte in bytes.fromhex(colour)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return red, green, blue


def _lab(colour: str, sight: _Matrix) -> Triple:
    seen = [min(max(value, 0.0), 1.0) for value in _times(sight, _linear(colour))]
    x, y, z = (_cube_root(value / white) for value, white in zip(_times(_XYZ, seen), _WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _cube_root(value: float) -> float:
    return value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116


def _times(matrix: _Matrix, vector: Sequence[float]) -> Triple:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three
