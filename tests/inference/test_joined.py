import pytest
import torch

from unet_lightning.inference.tiling import Span, Tile, Tiling, gaussian, joined, overlapping
from unet_lightning.models.context import Geometry


def test_a_gaussian_falls_to_both_sides_of_the_middle():
    weight = gaussian(Span(0, 33, 0, 33, 100))
    assert weight[16] == 1
    assert torch.equal(weight, weight.flip(0))
    # The border is 16 of 33 pixels away, in units of an eighth of 33 pixels.
    assert float(weight[0]) == pytest.approx(2.718281828 ** (-0.5 * (16 / (33 / 8)) ** 2), rel=1e-5)


@pytest.mark.parametrize("blend", ["crop", "gaussian"])
def test_tiles_of_a_map_make_the_map(blend):
    expected = torch.rand(2, 150, 90, generator=torch.Generator().manual_seed(0))
    tiling = Tiling(64, blend, Geometry(halo=16, stride=16))
    rows, cols = tiling.spans(150, 90)
    outputs = [Tile(row, col).kept(expected, 0, 0) for row in rows for col in cols]
    assert torch.allclose(joined(rows, cols, blend, outputs), expected, atol=1e-6)


def test_overlapping_tiles_are_averaged_by_their_weights():
    rows, cols = overlapping(16, 16, 16), overlapping(48, 32, 16)  # columns 0 to 31, and 16 to 47
    found = joined(rows, cols, "gaussian", [torch.zeros(1, 16, 32), torch.ones(1, 16, 32)])[0]
    assert (found[:, :16] == 0).all() and torch.allclose(found[:, 32:], torch.ones(16, 16))
    weight = gaussian(cols[0])
    assert torch.allclose(found[5, 16:32], weight[:16] / (weight[:16] + weight[16:]), atol=1e-6)
    assert torch.allclose(found[:, 16:32] + found[:, 16:32].flip(1), torch.ones(16, 16), atol=1e-6)
