"""Where the randomness of ``HampOutput`` comes from."""

from __future__ import annotations

from hashlib import blake2b

import torch
from torch import Generator, Tensor


class Stream:
    """Uniform noise from one generator, in the order in which it is asked for.

    With ``seed`` None, torch's own generator of the device.
    """

    def __init__(self, seed: int | None) -> None:
        self.seed = seed
        self._generator: Generator | None = None

    def __call__(self, x: Tensor, attempt: int) -> Tensor:
        """Uniform in [0, 1), float32, of the shape and on the device of ``x``."""
        if self.seed is None:
            return torch.rand_like(x, dtype=torch.float32)
        if self._generator is None or self._generator.device != x.device:
            self._generator = Generator(x.device).manual_seed(self.seed)
        return torch.rand(x.shape, generator=self._generator, device=x.device, dtype=torch.float32)


class Keyed:
    """Uniform noise that depends on ``seed``, the row of ``x`` and the ``attempt`` only: the same
    input always gets the same noise, in a batch of any size and order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, x: Tensor, attempt: int) -> Tensor:
        """Uniform in [0, 1), float32, of the shape and on the device of ``x``; drawn on the CPU."""
        noise = torch.empty(x.shape, dtype=torch.float32)
        rows = x.detach().cpu()[..., None].flatten(1).contiguous().view(torch.uint8).numpy()
        key, salt = str(self.seed).encode(), attempt.to_bytes(8, "big")
        for row, drawn in zip(rows, noise, strict=True):
            digest = blake2b(row.tobytes(), key=key, salt=salt, digest_size=8).digest()
            torch.rand(
                drawn.shape,
                generator=Generator().manual_seed(int.from_bytes(digest, "big")),
                out=drawn,
            )
        return noise.to(x.device)
