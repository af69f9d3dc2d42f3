"""How photographs are read: their channels, and which numbers are black and white."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from unet_lightning.data.bands import MOST_BANDS
from unet_lightning.errors import ConfigError


class Form(NamedTuple):
    """How photographs are read."""

    channels: int
    # Whether others are made into these: grey repeated as red, green and blue, colours made grey, alpha left out.
    converts: bool
    value_range: tuple[float, float] | None = None  # of the numbers in files of more than 8 bits; None: of their type

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Form":
        """The form that a checkpoint keeps."""
        span = plain["value_range"]
        return cls(plain["channels"], plain["converts"], None if span is None else (span[0], span[1]))

    def plain(self) -> dict[str, Any]:
        """As a checkpoint keeps it."""
        return {**self._asdict(), "value_range": None if self.value_range is None else list(self.value_range)}

    def __str__(self) -> str:
        span = "" if self.value_range is None else f" from {self.value_range[0]:g} to {self.value_range[1]:g}"
        return f"{'made into ' if self.converts else ''}{counted(self.channels)}{span}"


# As data sets of colour photographs are read, and as earlier versions read every photograph.
RGB = Form(3, converts=True)


def checked_form(channels: Any, value_range: Any) -> tuple[int | None, tuple[float, float] | None]:
    """The number of `data.dataset.channels`, a number or names, and the range; None for `auto`; else ConfigError."""
    number = None if channels in ("auto", None) else channels
    if isinstance(channels, Sequence) and not isinstance(channels, str):
        named = [one for one in channels if isinstance(one, str) and one]
        number = len(channels) if len({*named}) == len(channels) else 0
    if number is not None and (
        isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_BANDS
    ):
        raise ConfigError(
            f"data.dataset.channels must be auto, a number from 1 to {MOST_BANDS}, or a list of different names, found "
            f"{channels}."
        )
    if value_range in ("auto", None):
        return number, None
    ends = list(value_range) if isinstance(value_range, Sequence) and not isinstance(value_range, str) else []
    numbers = [one for one in ends if isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e30]
    if len(ends) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
        raise ConfigError(
            f"data.dataset.value_range must be auto, or [low, high]: the numbers of black and of white in photographs "
            f"of more than 8 bits; found {value_range}."
        )
    return number, (float(numbers[0]), float(numbers[1]))


def remedy(found: int, wanted: int) -> str:
    """What to do where a photograph has other channels than are wanted."""
    if {found, wanted} == {1, 3}:
        what = "repeats grey as red, green and blue" if wanted == 3 else "makes colours grey"
        return f"data.dataset.channels={wanted} {what}, where data=folder names the photographs."
    return "Take photographs of the kind trained on, or train on such ones."


def counted(channels: int) -> str:
    """A number of channels in words."""
    return "1 channel" if channels == 1 else f"{channels} channels"
