"""Numbers of scanners as grey levels: by a window to 8 bits, or as they are within a range."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Pixels

OPTIONS = frozenset({"window", "value_range"})


class Greys(NamedTuple):
    """Which numbers are black and white, and whether they become 8 bits."""

    low: float
    high: float
    eight_bits: bool

    def of(self, numbers: Pixels, source: str) -> Pixels:
        """uint8 from 0 to 255, or float32 as they are; what is outside is black or white.

        Raises:
            DataError: some are not finite.
        """
        if not np.isfinite(numbers).all():
            raise DataError(f"{source} has numbers that are not finite: give them a value first.")
        cut = np.clip(numbers.astype(np.float64), self.low, self.high)
        if not self.eight_bits:
            return cut.astype(np.float32)
        return np.rint((cut - self.low) / (self.high - self.low) * 255).astype(np.uint8)

    @property
    def kept_range(self) -> tuple[float, float] | None:
        """The range of photographs that were not made 8 bits."""
        return None if self.eight_bits else (self.low, self.high)

    @property
    def said(self) -> str:
        """What became of the numbers, in words."""
        kept = "to 0 to 255" if self.eight_bits else "as they are"
        return f"Numbers from {self.low:g} to {self.high:g} were taken {kept}, others cut off at these."


def kept_range(options: Mapping[str, Any]) -> tuple[float, float] | None:
    """The range of numbers that are kept as they are, where one is asked for; see `asked_greys`."""
    greys = asked_greys(options)
    return greys.kept_range if greys else None


def asked_greys(options: Mapping[str, Any]) -> Greys | None:
    """What `window` or `value_range` says; None where neither is given.

    Raises:
        ConfigError: both are, or one is no range.
    """
    given = [(name, options[name]) for name in sorted(OPTIONS) if name in options]
    if len(given) > 1:
        raise ConfigError("--window makes 8 bits of numbers, --value-range keeps them: give one of the two.")
    for name, (low, high) in given:
        if not (np.isfinite([low, high]).all() and low < high):
            raise ConfigError(f"--{name.replace('_', '-')} must be two numbers, the lower first, found {low} {high}.")
        return Greys(float(low), float(high), name == "window")
    return None
