"""What the indices of a palette image mean: some tools draw by colours, others by indices."""

from collections.abc import Collection, Sequence

Colour = tuple[int, int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SLACK = (
    8  # levels by which black and white may be off: DRIVE's second observer is drawn in (4, 2, 4) and (252, 254, 252)
)


def white_indices(palette: Sequence[int], used: Collection[int]) -> set[int] | None:
    """Which of the used indices of a mask are white; None where that is not sure.

    Colours count where they are black and white, as in DRIVE. Else they may be nearly black, as in a palette of all
    greys (0 and 1), or black and the colour of a class (dark red, as in PASCAL VOC): then 0 is black and 1 white, by
    index and by grey level. Where such readings differ, nothing is sure, nor of two other greys or colours.

    Args:
        palette: red, green and blue of each index.
        used: the indices that the image holds.
    """
    colours = _colours(palette, used)
    drawn = {colours[index] for index in used}
    by_colour = {index for index in used if _tone(colours[index]) == "white"}
    toned = all(map(_tone, drawn))
    if _contrast(drawn) or (toned and _contrast(colours[:2])):
        return by_colour if toned else None
    readings = []
    if drawn <= {BLACK, WHITE} and len(used) == 1:
        readings.append(by_colour)
    if drawn <= {BLACK, (1, 1, 1)} and len(drawn) == len(used):
        readings.append({index for index in used if colours[index] != BLACK})
    first, second = colours[:2]
    by_index = _tone(first) == _tone(second) != "" or (_tone(first) == "black" and len({*second}) > 1)
    if {*used} <= {0, 1} and by_index:
        readings.append({*used} - {0})
    return readings[0] if readings and all(one == readings[0] for one in readings) else None


def renumbered(palette: Sequence[int], used: Collection[int], known: Collection[int], by_format: bool) -> bool:
    """Whether the indices of an image of several classes may be others than were drawn.

    Programs leave unused colours out of a GIF: of 0 and 2 they make the indices 0 and 1. Greys tell, whose levels are
    the numbers of classes.

    Args:
        palette: red, green and blue of each index.
        used: the indices that the image holds.
        known: the numbers that stand for a class.
        by_format: whether the format is one in which colours are left out.
    """
    colours = _colours(palette, used)
    levels = [colours[index][0] if len({*colours[index]}) == 1 else None for index in sorted(used)]
    return levels != sorted(used) and (by_format or {*levels} <= {*known})


def _colours(palette: Sequence[int], used: Collection[int]) -> list[Colour]:
    """The colour of each index, at least of 0 and 1; black beyond the end of the palette."""
    levels = [*palette, *[0] * 3 * max(2, max(used, default=0) + 1)]
    return [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, len(levels) - 2, 3)]


def _tone(colour: Colour) -> str:
    """`black`, `white`, or nothing."""
    return "black" if max(colour) <= SLACK else "white" if min(colour) >= 255 - SLACK else ""


def _contrast(colours: Collection[Colour]) -> bool:
    """Whether there are both black and white."""
    return {"black", "white"} <= {*map(_tone, colours)}
