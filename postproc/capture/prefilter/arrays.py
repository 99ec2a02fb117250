"""Arrays with one value per packet, and how they are read from the bytes of many packets at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Headers = npt.NDArray[np.void]  # structures


def read_at(data: Bytes, start: Integers, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values, or structures, of `dtype` that begin at each `start`."""
    kind = np.dtype(dtype)
    size = kind.itemsize  # as raw bytes: numpy copies structures field by field, which takes 15 times as long
    windows: npt.NDArray[Any] = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return windows[start].view(kind)


def take(headers: Headers, index: Integers) -> Headers:
    """The structures at `index`, copied as raw bytes; see `read_at`."""
    return headers.view(f"V{headers.itemsize}")[index].view(headers.dtype)
