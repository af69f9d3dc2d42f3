"""What annotation tools draw, as pixels, painted into labels: a pixel is in a region where its centre is.

Coordinates are (x, y) in pixels from the upper left corner of the image: its first pixel reaches from 0 to 1, with its
centre at 0.5. LabelMe, COCO, CVAT and VIA all count so.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet_lightning.data.labels import BACKGROUND, IGNORE
from unet_lightning.errors import DataError
from unet_lightning.importing.found import Label

Size = tuple[int, int]  # height, width
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]  # (N, 2): x and y

SLACK = 1.0  # pixels by which a point may lie outside the image
BACKGROUNDS = ("background", "_background_")  # names of shapes that are no class of their own
IGNORED = "__ignore__"  # LabelMe's name for what is not to be counted
MOST_CROSSINGS = 5_000_000  # of outlines with rows of pixels: no outline of anything has more, and they take memory


class Region(NamedTuple):
    """Pixels of an image: a mask, `(h, w)`, and where its upper left corner is."""

    top: int
    left: int
    mask: Mask


@dataclass(frozen=True)
class Shape:
    """One thing that was drawn."""

    name: str  # of its class
    draw: Callable[[Size], Region]  # in an image of that size; DataError, as a part of a sentence, where it cannot be
    what: str  # for messages: polygon 3
    level: int = 0  # it covers what has a lower one


def paint(shapes: Sequence[Shape], classes: Sequence[str], size: Size, later_counts: bool) -> Label:
    """The class of each pixel, `(H, W)` uint8: the number of its name in `classes`, IGNORE, or background elsewhere.

    Raises:
        DataError: shapes of two classes and of one level share pixels, and nothing says which of them counts.
    """
    names = dict(enumerate(classes)) | {IGNORE: IGNORED}
    numbers = dict.fromkeys(BACKGROUNDS, BACKGROUND) | {name: number for number, name in names.items()}
    label = np.full(size, BACKGROUND, np.uint8)
    for level in sorted({shape.level for shape in shapes}):
        layer = np.full(size, -1, np.int16)
        for shape in (one for one in shapes if one.level == level):
            number = numbers[shape.name]
            try:
                region = shape.draw(size)
            except DataError as error:
                raise DataError(f"{shape.what} ({shape.name}): {error}") from error
            part = layer[window(region)]
            clash = part[region.mask & (part >= 0) & (part != number)]
            if clash.size and not later_counts:
                raise DataError(
                    f"{shape.what} ({shape.name}) shares {clash.size} pixels with {names[clash[0]]}, and a pixel has "
                    "one class. Draw them apart, or give --overlap later: then the later one in --classes counts"
                )
            part[region.mask] = np.maximum(part[region.mask], number)
        label = np.where(layer < 0, label, layer).astype(np.uint8)
    return label


def polygon(points: Points, size: Size) -> Region:
    """The inside of a closed outline, by the even-odd rule; a centre on it is inside on the left and upper side alone.

    So regions with a common border share no pixel, and leave none out.

    Raises:
        DataError: the outline crosses rows of pixels for ever, or leaves the image.
    """
    _check(points, size)
    return _inside(points, size)


def _inside(points: Points, size: Size) -> Region:
    x, y = points.T
    x_step, y_step = np.roll(x, -1) - x, np.roll(y, -1) - y
    first, end = (_pixel(edge(y, y + y_step), size[0]) for edge in (np.minimum, np.maximum))
    rows = end - first
    if rows.sum() > MOST_CROSSINGS:
        raise DataError(f"an outline of {len(points):,} points crosses rows of pixels {rows.sum():,} times")
    edge = np.repeat(np.arange(len(points)), rows)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows) + first[edge]
    crossing = x[edge] + (row + 0.5 - y[edge]) * x_step[edge] / y_step[edge]
    column = _pixel(crossing, size[1])
    if not edge.size:
        return Region(0, 0, np.zeros((0, 0), bool))
    top, left = int(row.min()), int(column.min())
    turns = np.zeros((row.max() + 1 - top, column.max() + 1 - left), np.uint8)
    np.bitwise_xor.at(turns, (row - top, column - left), 1)
    return Region(top, left, np.bitwise_xor.accumulate(turns, axis=1)[:, :-1].view(bool))


def rectangle(corners: Points, angle: float, size: Size) -> Region:
    """The inside of a rectangle by two opposite corners, turned clockwise around its middle by `angle` degrees."""
    _check(corners, size)
    (x, y), (right, bottom) = corners
    outline = np.array([(x, y), (right, y), (right, bottom), (x, bottom)])
    if angle:
        middle, cos, sin = corners.mean(axis=0), np.cos(np.radians(angle)), np.sin(np.radians(angle))
        outline = (outline - middle) @ np.array([(cos, sin), (-sin, cos)]) + middle
    return _inside(outline, size)


def ellipse(centre: Points, radii: Sequence[float], angle: float, size: Size) -> Region:
    """The inside and border of an ellipse, turned clockwise around its centre `(2,)` by `angle` degrees.

    It may reach out of the image, if its centre does not.
    """
    _check(centre[None], size)
    region = _around(centre[None], max(radii), size)
    x, y = _centres(region) - centre[:, None, None]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    across, along = (x * cos + y * sin) / max(radii[0], 1e-9), (y * cos - x * sin) / max(radii[1], 1e-9)
    return region._replace(mask=across**2 + along**2 <= 1)


def line(points: Points, width: float, size: Size) -> Region:
    """What is at most half of `width` pixels from a line through all points."""
    _check(points, size)
    whole = _around(points, width / 2, size)
    for start, end in itertools.pairwise(points):
        part = _around(np.stack([start, end]), width / 2, size)
        across = _centres(part) - start[:, None, None]
        step = end - start
        share = np.clip(np.tensordot(step, across, 1) / max(step @ step, 1e-12), 0, 1)
        near = np.hypot(*(across - share * step[:, None, None])) <= width / 2
        whole.mask[window(part, whole.top, whole.left)] |= near
    return whole


def of_runs(counts: Sequence[int], size: Size, by_columns: bool) -> Mask:
    """A mask by the lengths of its runs, of which the first is outside; DataError where they do not fill `size`."""
    if any(count < 0 for count in counts) or sum(counts) != size[0] * size[1]:
        raise DataError(f"its runs fill {sum(counts):,} pixels, expected {size[0]} x {size[1]} (height x width)")
    drawn = np.repeat(np.arange(len(counts)) % 2 == 1, np.array(counts, np.int64))
    return drawn.reshape(size, order="F" if by_columns else "C")


def window(region: Region, top: int = 0, left: int = 0) -> tuple[slice, slice]:
    """Where a region is in an array whose first pixel is (`top`, `left`) of the image."""
    height, width = region.mask.shape
    return slice(region.top - top, region.top - top + height), slice(region.left - left, region.left - left + width)


def _check(points: Points, size: Size) -> None:
    """Raises DataError, as a part of a sentence, where a point lies more than SLACK outside the image."""
    outside = ((points < -SLACK) | (points > np.array(size[::-1]) + SLACK)).any(axis=1)
    if outside.any():
        x, y = points[outside][0]
        raise DataError(f"the point ({x:g}, {y:g}) lies outside the image of {size[0]} x {size[1]} (height x width)")


def _pixel(coordinates: Points, number: int) -> NDArray[np.int64]:
    """The first of `number` pixels whose centre is at a coordinate or beyond."""
    return np.clip(np.ceil(coordinates - 0.5), 0, number).astype(np.int64)


def _around(points: Points, reach: float, size: Size) -> Region:
    """The pixels of the image, none of them drawn yet, in the box that has all points within by `reach`."""
    left, top = (int(_pixel(low, n)) for low, n in zip(points.min(0) - reach, size[::-1], strict=True))
    right, bottom = (int(_pixel(high + 1, n)) for high, n in zip(points.max(0) + reach, size[::-1], strict=True))
    return Region(top, left, np.zeros((bottom - top, right - left), bool))


def _centres(region: Region) -> NDArray[np.float64]:
    """The centres of a region's pixels, `(2, h, w)`: x and y."""
    y, x = np.indices(region.mask.shape) + 0.5
    return np.stack([x + region.left, y + region.top])
