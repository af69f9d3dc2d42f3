"""What the numbers and colours of labels mean: found in all labels together, or told by the user."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from unet_lightning.data.description import checked_classes
from unet_lightning.data.folder import UNNAMED
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.palette import Colour, renumbered, white_indices
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.colours import as_number, hexadecimal, read_colours
from unet_lightning.importing.found import Label, Options
from unet_lightning.importing.levels import Levels

MOST = 64  # different values of labels beyond which they are no classes
WHITES = (1, 255, 65535)
TABLE = "give a file of all colours or grey levels and their classes by --colours (a line each: 128 0 0 disc)"


@dataclass(frozen=True)
class Coding:
    """The classes of labels, and how to tell them in one."""

    classes: Sequence[str]
    decode: Callable[[Levels], Label]  # DataError where a pixel has no class
    said: Sequence[str] = ()


class Seen(NamedTuple):
    """What a label holds."""

    source: str
    values: Sequence[int]  # at most MOST + 1: grey levels, indices, or colours as 0xRRGGBB
    pixels: Sequence[int]  # of each
    coloured: bool
    palette: Sequence[Colour]
    sure: bool
    gif: bool
    white: frozenset[int] | None  # the values that are white, where it is black and white


def seen(levels: Levels) -> Seen:
    """Looks at a label."""
    values, counts = np.unique(levels.numbers, return_counts=True)
    used = values[: MOST + 1].tolist()
    white: frozenset[int] | None = None
    if levels.palette:
        found = white_indices([level for colour in levels.palette for level in colour], used)
        white = None if found is None else frozenset(found)
    elif not levels.coloured and any({*used} <= {0, one} for one in WHITES):
        white = frozenset(used) - {0}
    return Seen(
        levels.source,
        used,
        counts[: MOST + 1].tolist(),
        levels.coloured,
        levels.palette,
        levels.sure,
        levels.gif,
        white,
    )


def coding_of(labels: Sequence[Seen], options: Options) -> Coding:
    """What labels mean, all of them together.

    Args:
        labels: what each holds.
        options: `classes` (names, background first), `colours` (a file of colours and names), `threshold` (the grey
            level from which a pixel is foreground), `several` (`instances`: whatever is not 0 is foreground),
            `ignore` (of black and white, the grey of pixels that do not count), and `invert`
            (of black and white: black is foreground).

    Raises:
        ConfigError: options do not go together, or names are too few or too many.
        DataError: what is meant is not sure.
    """
    names = checked_classes(options["classes"], "--classes") if "classes" in options else None
    coding = _coding(labels, None if options.get("several") == "classes" else names, options)
    if options.get("invert"):
        if len(coding.classes) > 2:
            raise ConfigError(f"--invert is for black and white labels; these have {len(coding.classes)} classes.")
        return Coding(coding.classes, partial(_inverted, coding.decode), coding.said)
    return coding


def _coding(labels: Sequence[Seen], names: Sequence[str] | None, options: Options) -> Coding:
    if "threshold" in options:
        if "colours" in options:
            raise ConfigError("--threshold is for grey labels, --colours for others: give one of them.")
        return Coding(_two(names), partial(_above, options["threshold"]))
    if unsure := next((one for one in labels if not one.sure and one.white != frozenset({255})), None):
        raise DataError(
            f"The label {unsure.source} does not surely hold the numbers that were drawn: JPEG and WebP change them. "
            "Export the labels as PNG; or, of black and white ones, give --threshold 128: what is lighter is "
            "foreground."
        )
    if "colours" in options:
        classes, table = read_colours(options["colours"])
        if names is not None:
            raise ConfigError("--colours names the classes: leave out --classes.")
        said = (
            []
            if "background" in classes
            else [f"{classes[0]} counts as background: figures over classes leave it out."]
        )
        return Coding(classes, partial(_by_table, table, True), said)
    if "ignore" in options and len(names or UNNAMED) == 2:
        return Coding(_two(names), partial(_by_table, {0: 0, 255: 1, options["ignore"]: IGNORE}, False))
    if options.get("several") == "instances":
        return Coding(_two(names), _anything)
    if crowded := next((one for one in labels if len(one.values) > MOST), None):
        raise DataError(
            f"The label {crowded.source} has more than {MOST} values: it is no mask. Where each thing has its own "
            "number, give --several instances; where edges are smoothed, --threshold 128."
        )
    if any(one.coloured for one in labels):
        return _found_colours(labels, names)
    return _numbers(labels, names, options)


def _numbers(labels: Sequence[Seen], names: Sequence[str] | None, options: Options) -> Coding:
    """Of labels without colours: black and white, indices, or grey levels evenly between black and white."""
    values = sorted({value for one in labels for value in one.values})
    if all(one.white is not None for one in labels) and len(names or UNNAMED) == 2:
        first = {level: one for one in labels if not one.palette for level in one.white or ()}
        if len(first) > 1:
            raise DataError(
                "Labels are of two codings: white is "
                f"{' and '.join(f'{v} in {one.source}' for v, one in first.items())}. Save all alike, or {TABLE}."
            )
        meant = "Black" if options.get("invert") else "White"
        return Coding(_two(names), _white, [f"{meant} is {_two(names)[1]}."])
    indices = [value for value in values if value != IGNORE]
    number = len(names or range(max(indices, default=0) + 1))
    if indices and (indices == [*range(number)] if names is None else max(indices) < number):
        _check_palettes(labels, number)
        classes = names or (UNNAMED if number == 2 else ("background", *(f"class_{i}" for i in range(1, number))))
        said = [f"Pixels of {IGNORE} are ignored."] if IGNORE in values else []
        return Coding(classes, partial(_by_table, {i: i for i in range(number)} | {IGNORE: IGNORE}, False), said)
    steps = len(values) - 1
    even = steps > 1 and all(abs(value - 255 * place / steps) <= 1 for place, value in enumerate(values))
    if not even or any(one.palette for one in labels) or len(names or values) != len(values):
        strange = next((one for one in labels if one.white is None), labels[0])
        raise DataError(
            f"What the labels mean is not sure: together they hold the values {', '.join(map(str, values[:20]))}, "
            f"such as {strange.source}. If they are the numbers of classes, name all of these by --classes "
            f"(background first; {IGNORE} is ignored); else {TABLE}."
        )
    classes = names or ("background", *(f"level_{value}" for value in values[1:]))
    said = [f"Grey level {value} is {name}." for value, name in zip(values, classes, strict=True)]
    return Coding(classes, partial(_by_table, {value: place for place, value in enumerate(values)}, False), said)


def _found_colours(labels: Sequence[Seen], names: Sequence[str] | None) -> Coding:
    """A class a colour, black (else the most frequent one) the background."""
    pixels: dict[int, int] = {}
    for one in labels:
        for value, count in zip(one.values, one.pixels, strict=True):
            colour = value if one.coloured else as_number(one.palette[value]) if one.palette else value * 0x010101
            pixels[colour] = pixels.get(colour, 0) + count
    first = 0 if 0 in pixels else max(pixels, key=lambda colour: pixels[colour])
    order = [first, *sorted({*pixels} - {first})]
    if len(order) > MOST or (names and not len(names) == len(order) == 2):
        source = next(one.source for one in labels if one.coloured)
        other = "--classes does not tell which is which" if names else f"at most {MOST} are taken for classes"
        raise DataError(
            f"The labels have {len(order)} colours, such as {', '.join(map(hexadecimal, order[:8]))} (in {source}), "
            f"and {other}: {TABLE}."
        )
    classes = names or ("background", *(f"colour_{hexadecimal(colour)[1:]}" for colour in order[1:]))
    said = [
        f"Colour {hexadecimal(colour)} is {name} ({pixels[colour] / sum(pixels.values()):.2%} of the pixels)."
        for colour, name in zip(order, classes, strict=True)
    ]
    return Coding(classes, partial(_by_table, {colour: place for place, colour in enumerate(order)}, True), said)


def _check_palettes(labels: Sequence[Seen], number: int) -> None:
    """Raises DataError where the indices of palettes may be others than were drawn."""
    colours: dict[int, tuple[Colour, str]] = {}
    for one in (label for label in labels if label.palette):
        flat = [level for colour in one.palette for level in colour]
        if renumbered(flat, one.values, {*range(number), IGNORE}, one.gif):
            raise DataError(f"The indices of {one.source} may have been renumbered: save the label as PNG, or {TABLE}.")
        for value in one.values:
            colour, source = colours.setdefault(value, (one.palette[value], one.source))
            if colour != one.palette[value]:
                raise DataError(
                    f"Palettes differ: {value} is {hexadecimal(as_number(colour))} in {source} and "
                    f"{hexadecimal(as_number(one.palette[value]))} in {one.source}. If the colours are meant, {TABLE}."
                )


def _two(names: Sequence[str] | None) -> Sequence[str]:
    if names is not None and len(names) != 2:
        raise ConfigError(f"--classes names {len(names)}, and these labels have two: background and one more.")
    return names or UNNAMED


def _inverted(decode: Callable[[Levels], Label], levels: Levels) -> Label:
    label = decode(levels)
    return np.where(label == IGNORE, label, 1 - label).astype(np.uint8)


def _above(threshold: int, levels: Levels) -> Label:
    label: Label = (levels.in_grey() >= threshold).astype(np.uint8)
    return label


def _anything(levels: Levels) -> Label:
    found = levels.in_colours() if levels.palette else levels.numbers
    label: Label = (found != 0).astype(np.uint8)
    return label


def _white(levels: Levels) -> Label:
    return np.isin(levels.numbers, [*(seen(levels).white or ())]).astype(np.uint8)


def _by_table(table: Mapping[int, int], coloured: bool, levels: Levels) -> Label:
    numbers = levels.in_colours() if coloured else levels.numbers
    values, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    shown = hexadecimal if coloured else str
    if unknown := [at for at, value in enumerate(values.tolist()) if value not in table]:
        found = ", ".join(f"{shown(int(values[at]))} ({counts[at]} pixels)" for at in unknown[:4])
        more = f" and {len(unknown) - 4} more" if unknown[4:] else ""
        raise DataError(
            f"The label {levels.source} holds {found}{more}, which have no class; known are "
            f"{', '.join(map(shown, [*table][:12]))}. Correct the label, or {TABLE}."
        )
    classes: Label = np.array([table[value] for value in values.tolist()], np.uint8)[places.reshape(numbers.shape)]
    return classes
