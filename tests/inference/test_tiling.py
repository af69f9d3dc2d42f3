import pytest
import torch

from unet_lightning.errors import ConfigError
from unet_lightning.inference.tiling import Canvas, Tiling, adjoining, gaussian, overlapping, total_weight, whole
from unet_lightning.models.context import Geometry
from unet_lightning.models.part import Part, Span

UNPADDED = Geometry(halo=0, stride=16, margin=92, least=188)


def test_tiles_side_by_side_by_hand():
    # 64 pixels of which 16 on each inner side are context: 48 kept at the beginning, then 32 each.
    assert adjoining(140, tile=64, halo=16) == [
        Span(0, 64, 0, 48, 140),
        Span(32, 96, 48, 80, 140),
        Span(64, 128, 80, 112, 140),
        Span(96, 140, 112, 140, 140),
    ]


def test_overlapping_tiles_by_hand():
    assert [span[:2] for span in overlapping(150, tile=64, stride=16)] == [(0, 64), (32, 96), (64, 128), (96, 150)]
    assert [span[:2] for span in overlapping(160, tile=64, stride=16)] == [(0, 64), (32, 96), (64, 128), (96, 160)]
    assert all(span[:2] == span[2:4] for span in overlapping(150, tile=64, stride=16))


@pytest.mark.parametrize("length", [1, 63, 64])
def test_a_side_no_longer_than_a_tile_is_one_tile(length):
    assert adjoining(length, 64, 16) == overlapping(length, 64, 16) == whole(length)


@pytest.mark.parametrize("halo", [0, 16, 48])
@pytest.mark.parametrize("tile", [112, 128, 400])
def test_every_pixel_is_kept_once_with_its_context_by_tiles_on_the_stride(tile, halo):
    for length in range(1, 900):
        spans = adjoining(length, tile, halo)
        kept = [pixel for span in spans for pixel in range(span.keep_start, span.keep_stop)]
        assert kept == list(range(length))
        for start, stop, keep_start, keep_stop, _ in spans:
            assert start % 16 == 0 and 0 <= start < stop <= min(length, start + tile)
            assert keep_start - start >= halo or start == 0
            assert stop - keep_stop >= halo or stop == length


@pytest.mark.parametrize("tile", [32, 112, 400])
def test_overlapping_tiles_cover_every_pixel_and_begin_on_the_stride(tile):
    for length in range(1, 900):
        spans = overlapping(length, tile, 16)
        assert {pixel for span in spans for pixel in range(*span[:2])} == set(range(length))
        assert all(span.start % 16 == 0 and span.stop - span.start <= tile for span in spans)
        assert (total_weight(spans) > 0).all()


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
    rows, cols = tiling.spans(150), tiling.spans(90)
    canvas = Canvas(rows, cols, blend)
    for part in (Part(row, col) for row in rows for col in cols):
        canvas.paint(part, part.kept(expected, 0, 0))
    assert torch.allclose(canvas.finished(), expected, atol=1e-6)


def test_overlapping_tiles_are_averaged_by_their_weights():
    rows, cols = overlapping(16, 16, 16), overlapping(48, 32, 16)  # columns 0 to 31, and 16 to 47
    canvas = Canvas(rows, cols, "gaussian")
    canvas.paint(Part(rows[0], cols[0]), torch.zeros(1, 16, 32))
    canvas.paint(Part(rows[0], cols[1]), torch.ones(1, 16, 32))
    found = canvas.finished()[0]
    assert (found[:, :16] == 0).all() and torch.allclose(found[:, 32:], torch.ones(16, 16))
    weight = gaussian(cols[0])
    assert torch.allclose(found[5, 16:32], weight[:16] / (weight[:16] + weight[16:]), atol=1e-6)
    assert torch.allclose(found[:, 16:32] + found[:, 16:32].flip(1), torch.ones(16, 16), atol=1e-6)


def test_a_halo_is_rounded_up_and_a_tile_down_to_the_stride():
    tiling = Tiling(415, "crop", Geometry(halo=122, stride=16))
    assert str(tiling) == "tiles of 400 with a halo of 128, overlap-tile"
    assert tiling.spans(800)[1] == Span(144, 544, 272, 416, 800)


def test_unpadded_tiles_are_named_by_what_the_network_gets():
    tiling = Tiling(580, "gaussian", UNPADDED)
    assert str(tiling) == "tiles of 572 with a margin of 92, Gaussian weights"
    assert tiling.side == 384  # 388 come out; tiles begin at multiples of 16


@pytest.mark.parametrize(
    ("geometry", "least"), [(Geometry(halo=128, stride=16), 272), (Geometry(halo=107, stride=16), 240), (UNPADDED, 204)]
)
def test_a_tile_smaller_than_the_receptive_field_is_refused_with_the_least(geometry, least):
    Tiling(least, "crop", geometry).check()
    message = rf"tile={least - 1} is smaller than the receptive field .* at least {least}, .* or tile=none"
    with pytest.raises(ConfigError, match=message):
        Tiling(least - 1, "crop", geometry).check()


def test_a_network_without_a_halo_takes_no_tiles():
    with pytest.raises(ConfigError, match=r"takes no tiles: .* Give its class a halo and a stride .* or set tile=none"):
        Tiling(512, "crop", Geometry()).check()
