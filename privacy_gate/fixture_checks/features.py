"""What a blind attacker sees of a record: simple numbers by the kind of each input column.

Images: small pixels, channel moments and quantiles, radial spectrum. Texts: hashed words and letter
triples, length, digits, years. Anything else: the numbers as they are, with hashed counts where
they may be tokens.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float

Block = NDArray[np.float32]

_SIDE = 8
_CROP = 64
_BANDS = 8
_PIXELS = 1024
_MOST_NUMBERS = 512
_WORDS = 512
_TRIPLES = 256
_TOKENS = 512
_SEQUENCE = 64
_LONGEST = 20_000
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_WORD = re.compile(r"\w+")


def described(columns: Mapping[str, NDArray[Any]]) -> Block:
    """(b, features) of a batch of input columns, (b, …) each; the same number for every batch."""
    parts = [_of_column(values) for values in columns.values()]
    return np.concatenate(parts, axis=1)


def as_float32(values: NDArray[Any]) -> Block:
    """The numbers, those beyond 1e18 cut, so that no square of them is infinite."""
    if values.dtype.kind == "f":
        values = np.clip(values, -1e18, 1e18)
    return np.asarray(values, np.float32)


def is_image(values: NDArray[Any]) -> bool:
    """Whether a column (b, …) holds pictures: at least 4 × 4 numbers in two or three dimensions."""
    rows = values.shape[1:]
    if values.dtype.kind == "O" or len(rows) not in (2, 3):
        return False
    return sorted(rows)[-2] >= 4 and (len(rows) == 2 or min(rows[0], rows[2]) <= 4)


def grey_and_channels(values: NDArray[Any]) -> tuple[Block, Block]:
    """Pictures as (b, H, W) and (b, H, W, channels), channels first or last, float32."""
    if values.ndim == 4 and values.shape[3] > 4:
        values = np.moveaxis(values, 1, 3)
    channels = as_float32(values).reshape(*values.shape[:3], -1)
    return np.asarray(channels.mean(axis=3)), channels


def shrunk(pictures: Block, side: int) -> Block:
    """(b, H, W) -> (b, at most side²): means of equal blocks."""
    for axis in (1, 2):
        length = pictures.shape[axis]
        edges = np.unique(np.linspace(0, length, side + 1)[:-1].astype(int))
        widths = np.diff([*edges, length]).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = -1
        sums = np.add.reduceat(pictures, edges, axis=axis)
        pictures = np.asarray(sums / widths.reshape(shape), np.float32)
    return pictures.reshape(len(pictures), -1)


def is_tokens(values: NDArray[Any]) -> bool:
    """Whether a column (b, …) may hold sequences of token numbers: long rows of wide integers."""
    wide = values.dtype.kind in "iu" and values.dtype.itemsize > 1
    return wide and values.ndim == 2 and values.shape[1] >= _SEQUENCE


def is_table(values: NDArray[Any]) -> bool:
    """Whether a column (b, …) holds plain numbers, each with a meaning of its own."""
    return values.dtype.kind != "O" and not is_image(values)


def hashed_tokens(values: NDArray[Any]) -> Block:
    """(b, 512) shares of the hashed token numbers of each row, as square roots."""
    buckets = (values.astype(np.int64) * 2_654_435_761 >> 7) % _TOKENS
    flat = buckets + np.arange(len(values))[:, None] * _TOKENS
    counts = np.bincount(flat.reshape(-1), minlength=len(values) * _TOKENS)
    shares = counts.reshape(-1, _TOKENS) / values.shape[1]
    return np.asarray(np.sqrt(shares), np.float32)


def hashed_text(text: str) -> Block:
    """(768,) shares of hashed words and of hashed letter triples, as square roots."""
    start = text[:_LONGEST]
    words = np.bincount(
        [zlib.crc32(word.encode()) % _WORDS for word in _WORD.findall(start.lower())] or [0],
        minlength=_WORDS,
    )
    letters = np.frombuffer(start.encode("utf-8", "replace").ljust(3), np.uint8).astype(np.int64)
    triples = (letters[:-2] * 65_599 + letters[1:-1] * 257 + letters[2:]) % _TRIPLES
    counts = np.bincount(triples, minlength=_TRIPLES)
    shares = np.concatenate([words / words.sum(), counts / counts.sum()])
    return np.asarray(np.sqrt(shares), np.float32)


def _of_column(values: NDArray[Any]) -> Block:
    if values.dtype.kind == "O":
        return np.stack([np.concatenate([hashed_text(text), _traits(text)]) for text in values])
    if is_image(values):
        return _image(values)
    numbers = _numbers(as_float32(values).reshape(len(values), -1))
    if is_tokens(values):
        return np.concatenate([numbers, hashed_tokens(values)], axis=1)
    return numbers


def _numbers(rows: Block) -> Block:
    """The numbers themselves; of very many, moments and means of equal stretches."""
    if rows.shape[1] <= _MOST_NUMBERS:
        return rows
    edges = np.linspace(0, rows.shape[1], _MOST_NUMBERS // 2 + 1)[:-1].astype(int)
    moments = np.stack([rows.mean(1), rows.std(1), rows.min(1), rows.max(1)], axis=1)
    return np.concatenate([np.add.reduceat(rows, edges, axis=1), moments], axis=1)


def _image(values: NDArray[Any]) -> Block:
    grey, channels = grey_and_channels(values)
    count = len(grey)
    points = channels.reshape(count, -1, channels.shape[3])
    few = points[:, :: max(1, points.shape[1] // _PIXELS)]
    marks = np.quantile(few, _QUANTILES, axis=1).transpose(1, 0, 2).reshape(count, -1)
    parts = [shrunk(grey, _SIDE), points.mean(axis=1), points.std(axis=1), marks, _spectrum(grey)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _spectrum(grey: Block) -> Float:
    """(b, 8) logarithms of the mean power at rings of equal width in frequency, of the centre."""
    top, left = (max(0, (length - _CROP) // 2) for length in grey.shape[1:])
    centre = grey[:, top : top + _CROP, left : left + _CROP]
    power = np.abs(np.fft.rfft2(centre)) ** 2
    vertical = np.fft.fftfreq(centre.shape[1])[:, None]
    radius = np.hypot(vertical, np.fft.rfftfreq(centre.shape[2])[None])
    ring = np.minimum((radius / 0.5 * _BANDS).astype(int), _BANDS - 1).reshape(-1)
    sums = np.stack([power.reshape(len(power), -1)[:, ring == r].sum(1) for r in range(_BANDS)], 1)
    return np.log(sums / np.maximum(1, np.bincount(ring, minlength=_BANDS)) + 1e-6)


def _traits(text: str) -> Block:
    """Length, words, shares of digits, capitals and non-ASCII, and the years that are named."""
    start = text[:_LONGEST]
    length = max(1, len(start))
    years = [int(found) for found in _YEAR.findall(start)] or [0]
    return np.array(
        [
            np.log1p(len(text)),
            np.log1p(start.count(" ")),
            sum(map(str.isdigit, start)) / length,
            sum(map(str.isupper, start)) / length,
            sum(letter > "\x7f" for letter in start) / length,
            min(years),
            max(years),
            len(years) if years != [0] else 0,
        ],
        dtype=np.float32,
    )
