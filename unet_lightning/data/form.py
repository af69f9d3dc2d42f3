"""How photographs are read: their channels, and which numbers are black and white."""

from collections.abc import Mapping
from typing import Any, NamedTuple


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


def remedy(found: int, wanted: int) -> str:
    """What to do where a photograph has other channels than are wanted."""
    if {found, wanted} == {1, 3}:
        what = "repeats grey as red, green and blue" if wanted == 3 else "makes colours grey"
        return f"data.dataset.channels={wanted} {what}, where data=folder names the photographs."
    return "Take photographs of the kind trained on, or train on such ones."


def counted(channels: int) -> str:
    """A number of channels in words."""
    return "1 channel" if channels == 1 else f"{channels} channels"
