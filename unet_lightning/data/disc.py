"""A disc in a mask, which may be cut off or dented: the circle through its rim, and how well the two agree."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_ROWS = 1000  # of a mask that are looked at: a larger one is thinned out
POINTS = 400  # of the rim through which a circle is laid
LEAST_POINTS = 12  # fewer tell no circle
ROUNDS = 12  # in which points far from the circle are left out, and it is laid anew
STRAIGHT = 2.5  # times the extent of the rim: a circle wider than this is a straight edge
FAR = 2.5  # times the usual distance from the circle


class Ellipse(NamedTuple):
    """Upright; a circle where both radii are the same. In pixels."""

    x: float
    y: float
    radius_x: float
    radius_y: float

    def spans(self, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Begin and end of its part of each row of a mask, `(H,)` each; 0 and 0 where it has none."""
        away = (np.arange(height) - self.y) / self.radius_y
        half = self.radius_x * np.sqrt(np.clip(1 - away**2, 0, None))
        ends = [np.clip(end, 0, width) for end in (self.x - half, self.x + half + 1)]
        begin, end = (np.where(np.abs(away) <= 1, one, 0) for one in ends)
        return begin, end

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Its pixels, `(H, W)` bool."""
        begin, end = (one[:, None] for one in self.spans(height, width))
        columns = np.arange(width)
        return (columns >= begin) & (columns < end)


class Fit(NamedTuple):
    """An ellipse laid through the rim of a mask."""

    ellipse: Ellipse
    rim: float  # the share of the rim that lies on it
    agreement: float  # of what lies in either of mask and ellipse, the share in both; a pixel at each end is no matter


def fit_disc(mask: NDArray[np.bool_], circle: bool = True) -> Fit | None:
    """The circle, or the upright ellipse, through the rim of a mask `(H, W)`; None where there is no such thing.

    Where the photograph's border, or a straight edge along it, cuts a disc off is no rim. Points far from most others,
    such as those of a notch, are left out.
    """
    step = max(1, -(-max(mask.shape) // MOST_ROWS))
    seen = mask[::step, ::step]
    rows, cols = (np.nonzero(seen.any(axis))[0] for axis in (1, 0))
    if not len(rows):
        return None
    seen = seen[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    points = _rim(seen)
    points = points[:: max(1, len(points) // POINTS)]
    if len(points) < LEAST_POINTS:
        return None
    middle = points.mean(0)
    size = float(np.abs(points - middle).max())
    near, kept = (points - middle) / size, np.ones(len(points), bool)
    centre = radii = off = np.empty(0)
    for _ in range(ROUNDS):
        found = _through(near[kept], circle)
        if found is None:
            return None
        centre, radii = found[:2], found[2:]
        off = np.abs(np.hypot(*((near - centre) / radii).T) - 1) * min(radii)
        closer = off <= max(1 / size, FAR * float(np.median(off[kept])))
        if closer.sum() < LEAST_POINTS or (closer == kept).all():
            break
        kept = closer
    if 2 * max(radii) > STRAIGHT * np.ptp(near[kept], axis=0).max():
        return None
    ellipse = Ellipse(*(centre * size + middle), *(radii * size))
    rim = float((off * size <= max(1.5, 0.01 * size)).mean())
    agreement = _agreement(seen, ellipse)
    placed = ellipse._replace(x=ellipse.x + cols[0], y=ellipse.y + rows[0])
    return Fit(Ellipse(*(value * step for value in placed)), rim, agreement)


def _through(points: NDArray[np.float64], circle: bool) -> NDArray[np.float64] | None:
    """Centre and radii (x, y, x, y) of a circle or an ellipse by least squares, of x^2 + k y^2 = a x + b y + c."""
    x, y = points.T
    columns = [x, y, np.ones_like(x)] if circle else [x, y, np.ones_like(x), -y * y]
    found = np.linalg.lstsq(np.stack(columns, axis=1), x * x + y * y * circle, rcond=None)[0]
    k = 1.0 if circle else float(found[3])
    if k <= 0:
        return None
    centre_x, centre_y = found[0] / 2, found[1] / (2 * k)
    square = found[2] + centre_x**2 + k * centre_y**2
    return np.array([centre_x, centre_y, square**0.5, (square / k) ** 0.5]) if square > 0 else None


def _rim(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where rows and columns of a mask begin and end within the picture, `(N, 2)` as x and y."""
    points = []
    for lines, order in ((mask, [0, 1]), (mask.T, [1, 0])):
        begin, end = _spans(lines)
        for places, inside in ((begin, begin > 1), (end - 1, end < lines.shape[1] - 1)):
            at = np.nonzero((end > begin) & inside)[0]
            points.append(np.stack([places[at], at], axis=1)[:, order])
    return np.concatenate(points).astype(float)


def _spans(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each row begins, and ends; 0 and 0 where it is empty."""
    some, width = mask.any(1), mask.shape[1]
    return np.where(some, mask.argmax(1), 0), np.where(some, width - mask[:, ::-1].argmax(1), 0)


def _agreement(mask: NDArray[np.bool_], ellipse: Ellipse) -> float:
    begin, end = _spans(mask)
    first, last = ellipse.spans(*mask.shape)
    longer = np.maximum(end - begin, last - first)
    common = np.minimum(end + 1, last) - np.maximum(begin - 1, first)
    return float(np.clip(np.minimum(common, longer), 0, None).sum() / max(1.0, longer.sum()))
