"""The colours of classes, methods and errors in masks, overlays, panels, reports and figures, the same everywhere."""

from collections.abc import Sequence
from html import escape

import torch
from PIL import ImageColor
from torch import Tensor

# Okabe and Ito's palette: told apart by colour-blind readers.
SKY, ORANGE, GREEN, YELLOW = "#56B4E9", "#E69F00", "#009E73", "#F0E442"
VERMILLION, PURPLE, BLUE = "#D55E00", "#CC79A7", "#0072B2"
OKABE_ITO = (SKY, ORANGE, GREEN, YELLOW, VERMILLION, PURPLE, BLUE)  # the bright ones first: seen on a dark fundus
# The two errors are an orange and a blue, the pair that every kind of colour blindness keeps apart, and both are
# bright; what is right is darker and stands back.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = GREEN, ORANGE, SKY
BACKGROUND_COLOUR = "#000000"
GOLDEN_ANGLE = 137.508  # degrees: hues in its steps never come near one another
ROW = 24  # pixels of a line of the legend


def class_colours(classes: int) -> list[str]:
    """A colour a class, `#RRGGBB`, all different; the background is black."""
    further = [
        "#{:02X}{:02X}{:02X}".format(*ImageColor.getrgb(f"hsl({number * GOLDEN_ANGLE % 360},65%,{light}%)")[:3])
        for number in range(classes - 1 - len(OKABE_ITO))
        for light in (40 + 15 * (number % 3),)
    ]
    return [BACKGROUND_COLOUR, *OKABE_ITO, *further][:classes]


def in_colours(numbers: Tensor, colours: Sequence[str]) -> Tensor:
    """A map of the numbers of classes, `(H, W)` integer, as a picture, `(3, H, W)` uint8."""
    palette = torch.tensor([ImageColor.getrgb(colour)[:3] for colour in colours], dtype=torch.uint8)
    return palette[numbers.long()].permute(2, 0, 1)


def legend(classes: Sequence[str]) -> str:
    """The numbers, colours and names of classes as a picture in SVG, which shows any script."""
    rows = []
    for number, (name, colour) in enumerate(zip(classes, class_colours(len(classes)), strict=True)):
        shown = escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name))
        top = ROW * number
        rows.append(f'<rect x="4" y="{top + 4}" width="16" height="16" fill="{colour}" stroke="#888888"/>')
        rows.append(f'<text x="28" y="{top + 17}">{number} {shown} ({colour})</text>')
    width, height = 28 + 10 * max(len(name) + 16 for name in classes), ROW * len(classes)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#FFFFFF"/>', *rows, "</svg>"]) + "\n"
