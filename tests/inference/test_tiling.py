import pytest

from unet_lightning.errors import ConfigError
from unet_lightning.inference.tiling import Span, Tiling, adjoining, overlapping, total_weight
from unet_lightning.models.context import Geometry

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
    whole = [Span(0, length, 0, length, length)]
    assert adjoining(length, 64, 16) == overlapping(length, 64, 16) == adjoining(length, length, 0) == whole


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


@pytest.mark.parametrize(("tile", "above"), [("auto", [3, 3]), ("none", [1, 1])])
def test_a_photograph_of_a_megapixel_passes_whole(tile, above):
    tiling = Tiling(tile, "crop", Geometry(halo=128, stride=16))
    for size, tiles in (((1024, 1024), [1, 1]), ((1025, 1024), [2, 2] if tile == "auto" else [1, 1])):
        assert [len(spans) for spans in tiling.spans(*size)] == tiles
    assert [len(spans) for spans in tiling.spans(1700, 1700)] == above


def test_a_halo_is_rounded_up_and_a_tile_down_to_the_stride():
    tiling = Tiling(415, "crop", Geometry(halo=122, stride=16))
    assert str(tiling) == "tiles of 400 with a halo of 128, overlap-tile"
    assert tiling.spans(800, 100)[0][1] == Span(144, 544, 272, 416, 800)


def test_unpadded_tiles_are_named_by_what_the_network_gets():
    tiling = Tiling(580, "gaussian", UNPADDED)
    assert str(tiling) == "tiles of 572 with a margin of 92, Gaussian weights"
    assert tiling.side == 384  # 388 come out; tiles begin at multiples of 16


@pytest.mark.parametrize(
    ("geometry", "least"), [(Geometry(halo=128, stride=16), 272), (Geometry(halo=107, stride=16), 240), (UNPADDED, 204)]
)
def test_a_tile_smaller_than_the_receptive_field_is_refused_with_the_least(geometry, least):
    Tiling(least, "crop", geometry)
    message = rf"tile={least - 1} is smaller than the receptive field .* at least {least}, .* or tile=none"
    with pytest.raises(ConfigError, match=message):
        Tiling(least - 1, "crop", geometry)


def test_tiles_of_a_network_without_a_halo_overlap_which_is_said_once(caplog):
    tiling = Tiling("auto", "crop", Geometry(stride=32))
    assert tiling.describe().endswith("above tiles of 768, Gaussian weights, as the network does not say its halo")
    tiling.spans(1024, 1024)
    assert not caplog.text
    assert [span[:2] for span in tiling.spans(1536, 1024)[0]] == [(0, 768), (384, 1152), (768, 1536)]
    tiling.spans(1536, 1024)
    assert caplog.text.count("not surely that of the whole photograph. Give its class a halo") == 1
    assert [len(spans) for spans in Tiling("none", "crop", Geometry()).spans(1536, 1024)] == [1, 1]
    with pytest.raises(ConfigError, match=r"tile=31 is smaller than .* at least 32"):
        Tiling(31, "crop", Geometry(stride=32))
