import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.shapes import window

QUICK = settings(derandomize=True, deadline=None, max_examples=60)


def drawn(region, size):
    """A region as rows of numbers."""
    mask = np.zeros(size, int)
    mask[window(region)] = region.mask
    return mask


def outline(*points):
    return np.array(points, float)


def test_a_pixel_is_inside_a_polygon_where_its_centre_is():
    # The centre of pixel (row j, column i) is (i + 0.5, j + 0.5): x + y < 4 below the slope, where i + j < 3.
    triangle = drawn(shapes.polygon(outline((0, 0), (4, 0), (0, 4)), (4, 5)), (4, 5))
    assert triangle.tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_a_centre_on_the_border_is_inside_on_the_left_and_upper_side_alone():
    square = drawn(shapes.rectangle(outline((0.5, 0.5), (2.5, 2.5)), 0.0, (3, 3)), (3, 3))
    assert square.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_what_an_outline_encloses_twice_is_a_hole():
    frame = outline((0, 0), (5, 0), (5, 5), (0, 5), (0, 0), (1, 1), (4, 1), (4, 4), (1, 4), (1, 1))
    assert drawn(shapes.polygon(frame, (5, 5)), (5, 5)).sum() == 25 - 9


def test_what_reaches_a_little_out_of_the_image_is_cut_off():
    assert drawn(shapes.polygon(outline((-1, -1), (6, -1), (6, 4), (-1, 4)), (3, 5)), (3, 5)).all()
    with pytest.raises(DataError, match=r"point \(6.1, 2\) lies outside the image of 3 x 5"):
        shapes.polygon(outline((0, 0), (6.1, 2), (0, 2)), (3, 5))


def test_a_shape_between_centres_has_no_pixel():
    assert shapes.polygon(outline((0.6, 0.6), (1.4, 0.6), (1.4, 1.4)), (3, 3)).mask.size == 0
    assert shapes.rectangle(outline((1, 1), (1, 3)), 0.0, (3, 3)).mask.size == 0


POINTS = st.lists(st.tuples(st.floats(-0.9, 12.9), st.floats(-0.9, 9.9)), min_size=3, max_size=12)


@QUICK
@given(POINTS)
def test_a_polygon_is_what_a_second_reader_fills(points):
    points = np.array(points)
    y, x = np.indices((9, 12)) + 0.5
    other = points_in_poly(np.stack([x.ravel(), y.ravel()], 1), points).reshape(9, 12)
    border = drawn(shapes.line(np.concatenate([points, points[:1]]), 1e-3, (9, 12)), (9, 12))  # there readers differ
    assert ((drawn(shapes.polygon(points, (9, 12)), (9, 12)) == other) | (border == 1)).all()


@QUICK
@given(st.lists(st.integers(0, 24), min_size=2, max_size=8))
def test_regions_with_a_common_border_share_no_pixel_and_leave_none_out(border):
    """The border runs through centres of pixels, too."""
    middle = [(x / 2, 8 * n / (len(border) - 1)) for n, x in enumerate(border)]
    left, right = outline((0, 0), *middle, (0, 8)), outline((12, 0), *middle, (12, 8))
    assert (drawn(shapes.polygon(left, (8, 12)), (8, 12)) + drawn(shapes.polygon(right, (8, 12)), (8, 12)) == 1).all()


def test_no_shape_is_shifted():
    """Over many places the middle of the pixels is that of the shape, within a hundredth of a pixel."""
    chance, size = np.random.default_rng(0), (60, 60)
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], 1)
    shifts = {"polygon": [], "ellipse": [], "rectangle": [], "line": []}
    for _ in range(300):
        middle, radii = chance.uniform(27, 33, 2), chance.uniform(12, 20, 2)
        regions = {
            "polygon": shapes.polygon(middle + ring * radii, size),
            "ellipse": shapes.ellipse(middle, radii, chance.uniform(0, 90), size),
            "rectangle": shapes.rectangle(np.stack([middle - radii, middle + radii]), 0.0, size),
            "line": shapes.line(np.stack([middle - radii, middle + radii]), 5.0, size),
        }
        for name, region in regions.items():
            y, x = np.nonzero(drawn(region, size))
            shifts[name].append((x.mean() + 0.5 - middle[0], y.mean() + 0.5 - middle[1]))
    for name, found in shifts.items():
        assert np.abs(np.mean(found, axis=0)).max() < 0.02, name


def test_an_ellipse_takes_in_its_border_and_turns_clockwise():
    circle = drawn(shapes.ellipse(outline((2.5, 2.5))[0], [1, 1], 0.0, (5, 5)), (5, 5))
    assert circle[1:4, 1:4].tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]] and circle.sum() == 5
    slim = drawn(shapes.ellipse(outline((2.5, 2.5))[0], [3, 0.4], 45.0, (5, 5)), (5, 5))  # y points down
    assert slim.tolist() == np.eye(5, dtype=int).tolist()


def test_a_rectangle_turns_clockwise_around_its_middle():
    slim = drawn(shapes.rectangle(outline((-0.5, 2.2), (5.5, 2.8)), 45.0, (5, 5)), (5, 5))
    assert slim.tolist() == np.eye(5, dtype=int).tolist()
    upright = drawn(shapes.rectangle(outline((0, 1), (3, 2)), 90.0, (3, 3)), (3, 3))
    assert upright.tolist() == [[0, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_a_line_takes_in_what_is_near_it_round_corners_too():
    corner = drawn(shapes.line(outline((0.5, 0.5), (3.5, 0.5), (3.5, 2.5)), 1.0, (4, 5)), (4, 5))
    assert corner.tolist() == [[1, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    assert drawn(shapes.line(outline((2, 2), (2, 2)), 2.0, (4, 4)), (4, 4)).sum() == 4  # around a point


def test_runs_fill_rows_or_columns_and_all_of_the_size():
    assert shapes.of_runs([1, 2, 1, 2], (2, 3), by_columns=False).tolist() == [[False, True, True], [False, True, True]]
    assert shapes.of_runs([0, 2, 4], (2, 3), by_columns=True).tolist() == [[True, False, False], [True, False, False]]
    for counts in ([1, 2], [1, 6], [-1, 7], [], [10**30]):
        with pytest.raises(DataError, match=r"runs fill [-\d,]+ pixels, expected 2 x 3"):
            shapes.of_runs(counts, (2, 3), by_columns=True)


def test_an_outline_that_takes_all_memory_is_refused():
    with pytest.raises(DataError, match=r"20,000 points crosses rows of pixels 20,000,000 times"):
        shapes.polygon(np.tile(outline((0, 0), (5, 1000)), (10_000, 1)), (1000, 5))
