import pytest
import torch
from torch import nn

from unet_lightning.models.part import Part, Span, double

DOUBLE = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


def span(start, stop, length):
    """All of a stretch kept."""
    return Span(start, stop, start, stop, length)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (16, 37)])
def test_the_whole_is_doubled_as_by_torch(size, dtype):
    image = torch.rand(2, 3, *size, dtype=dtype)
    found = double(image, Part(span(0, size[0], size[0]), span(0, size[1], size[1])))
    assert torch.allclose(found, DOUBLE(image), atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_part_is_doubled_as_within_the_whole_but_for_the_pixel_at_its_border(layout):
    image = torch.rand(1, 3, 41, 64, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    part = Part(span(8, 24, 41), span(48, 64, 64))
    found = double(image[..., 8:24, 48:64], part)
    expected = DOUBLE(image)[..., 16:48, 96:128]
    same = (found - expected).abs().amax((0, 1)) < 1e-6
    assert same[1:-1, 1:].all()  # the right border is that of the whole
    assert not same[0].all() and not same[:, 0].all()
    assert (DOUBLE(image[..., 8:24, 48:64]) - expected).abs().max() > 0.1  # on its own it is sampled elsewhere


def test_far_from_the_origin_positions_are_those_of_torch():
    # Float32 positions of 20,000 are off by 0.001 of a pixel; both must be off alike.
    image = torch.rand(1, 1, 1, 10_000, generator=torch.Generator().manual_seed(0))
    part = Part(span(0, 1, 1), span(9000, 9500, 10_000))
    found = double(image[..., 9000:9500], part)
    assert torch.allclose(found[..., 1:-1], DOUBLE(image)[..., 18_001:18_999], atol=1e-6)


def test_halving_keeps_what_the_way_back_up_needs():
    # Kept 100 to 199; convolutions see 98 to 201; bilinear rows 98 and 201 lie between 48 or 49, and 100 or 101.
    assert Span(64, 256, 100, 200, 400).halved() == Span(32, 128, 48, 102, 200)
    assert Span(64, 256, 64, 256, 400).halved() == Span(32, 128, 32, 128, 200)
    assert Span(192, 405, 300, 405, 405).halved() == Span(96, 202, 148, 202, 202)


def test_doubling_brings_back_the_odd_end_of_the_image():
    assert Span(64, 256, 100, 200, 400).doubled() == Span(64, 256, 96, 204, 400)
    assert Span(192, 405, 300, 405, 405).doubled() == Span(192, 405, 296, 405, 405)


def test_each_level_keeps_enough_for_the_one_above():
    for keep in [(160, 161), (133, 250), (128, 384)]:
        for below in (Span(0, 512, *keep, 600), Span(128, 399, *keep, 399)):
            half, wide = below.halved(), below.doubled()
            assert half.start <= half.keep_start < half.keep_stop <= half.stop
            assert max(below.start, below.keep_start - 2) >= wide.keep_start
            assert min(below.stop, below.keep_stop + 2) <= wide.keep_stop


def test_a_side_shorter_than_the_network_takes_is_a_padded_whole():
    rows, cols = Part(span(0, 5, 5), Span(0, 64, 0, 32, 96)).levels(3, smallest=16)[0]
    assert rows == Span(0, 16, 0, 5, 16)
    assert cols == Span(0, 64, 0, 32, 96)
    assert len(Part(rows, cols).levels(3, smallest=16)) == 3
