"""A network on a tile of a photograph: the outputs that it has there on the whole photograph.

Convolutions and poolings give them by themselves where the tile has enough context. Two kinds of modules are told
where the tile lies, for the time of a pass:

- `nn.Upsample(align_corners=True)`, in any network, samples at positions that depend on the length of the whole map;
- the up blocks of our U-Net compute what the kept part of the tile needs and no more, which saves a third of the work.
"""

from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError
from unet_lightning.inference.tiling import Span, Tile
from unet_lightning.models.context import Geometry, outputs_of
from unet_lightning.models.doubling import shares
from unet_lightning.models.unet import UNet, Up


def forward_tile(network: nn.Module, image: Tensor, tile: Tile) -> Tensor:
    """Logits of what is kept of a tile, `(B, classes, h, w)`; for inference alone, by one thread at a time.

    Args:
        network: see `outputs_of`; its poolings halve and drop an odd end. One without a halo sees a tile as an image.
        image: `(B, C, h, w)` float, normalised: the tile, with the margin of a network that has one.
        tile: where it lies.
    """
    has_halo = Geometry.of(network).halo is not None
    in_tiles = has_halo and any(span.stop - span.start != span.length for span in tile)
    is_ours = type(network) is UNet
    with ExitStack() as told:
        for module in network.modules() if in_tiles else ():
            if isinstance(module, nn.Upsample) and module.align_corners:
                if module.mode != "bilinear" or module.scale_factor not in (2, (2, 2)):
                    raise ConfigError(
                        "This network takes no tiles: of upsamplings with aligned corners only the bilinear one by 2 "
                        f"is known, found {module}. Set tile=none to pass photographs whole."
                    )
                forward = partial(_double_tile, tile)
            elif isinstance(module, Up) and is_ours:
                forward = partial(_trimmed, module, tile)
            else:
                continue
            vars(module)["forward"] = forward
            told.callback(vars(module).pop, "forward")  # then the method of the class is back
        logits = outputs_of(network, image)["out"]
    if in_tiles and is_ours:
        return logits  # no more than what is kept
    return tile.kept(logits, tile.rows.start, tile.cols.start)


def _double_tile(tile: Tile, x: Tensor) -> Tensor:
    """Doubles all of a tile, `x` at any level of the network."""
    rows, cols = span_at(tile.rows, x.shape[-2]), span_at(tile.cols, x.shape[-1])
    return double(x, (rows.start, cols.start), (rows.length, cols.length))


def _trimmed(block: Up, tile: Tile, x: Tensor, skip: Tensor) -> Tensor:
    """What an up block of our U-Net gives of the kept part of a tile, which is at full resolution.

    `skip` is the tile at the level of the block; `x` the tile at the deepest level, else what the block below gave.
    """
    tile = Tile(span_at(tile.rows, skip.shape[-2]), span_at(tile.cols, skip.shape[-1]))
    below, computed = Tile(*map(halved, tile)), Tile(*map(widened, tile))
    if all(span.stop - span.start == side for span, side in zip(below, x.shape[-2:], strict=True)):
        x = below.kept(x, below.rows.start, below.cols.start)
    if isinstance(block.up, nn.Upsample):
        corner, size = (below.rows.keep_start, below.cols.keep_start), (below.rows.length, below.cols.length)
        vars(block.up)["forward"] = partial(double, corner=corner, size=size)
    out = Up.forward(block, x, computed.kept(skip, tile.rows.start, tile.cols.start))
    return tile.kept(out, computed.rows.keep_start, computed.cols.keep_start)


def span_at(span: Span, size: int) -> Span:
    """A span in pixels of a feature map that has `size` of them for the tile; ConfigError if poolings do not halve."""
    if span.stop - span.start == span.length:  # a whole side, which the network may have padded
        return Span(0, size, 0, size, size)
    found = span
    while found.stop - found.start > size:
        found = halved(found)
    if found.stop - found.start != size:
        raise ConfigError(
            f"This network takes no tiles: {span.stop - span.start} pixels have become {size}, which halving does not "
            "give. Set tile=none to pass photographs whole."
        )
    return found


def halved(span: Span) -> Span:
    """A span after a pooling by 2, which drops an odd end, with what the way back up needs of it.

    The two convolutions of an up block reach 2 pixels beyond what is kept, interpolation one neighbour further.
    """
    start, stop = span.start // 2, span.stop // 2
    keep_start, keep_stop = (span.keep_start - 3) // 2, (span.keep_stop + 1) // 2 + 2
    return Span(start, stop, max(start, keep_start), min(stop, keep_stop), span.length // 2)


def widened(span: Span) -> Span:
    """A span with more kept: all that doubling brings back of what is kept when it is halved."""
    half = halved(span)
    stop = span.stop if half.keep_stop == half.stop else 2 * half.keep_stop
    return span._replace(keep_start=2 * half.keep_start, keep_stop=stop)


def double(x: Tensor, corner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Doubles a part of a map as `nn.Upsample(scale_factor=2, align_corners=True)` doubles the whole.

    With aligned corners a sampling position depends on the length of the whole: see `shares`. Where the neighbour is
    not in the part, the row itself stands in.

    Args:
        x: `(B, C, h, w)` float.
        corner: its first row and column in the whole.
        size: (height, width) of the whole.
    """
    x = x.permute(0, 2, 3, 1)  # (B, h, w, C): a pixel in one piece where the format is channels_last
    for dim in (2, 1):
        length = x.shape[dim]
        before, behind = (
            share.to(x.dtype).reshape(-1, *[1] * (3 - dim))
            for share in shares(corner[dim - 1], length, size[dim - 1], x)
        )
        doubled = x.new_empty(*x.shape[: dim + 1], 2, *x.shape[dim + 1 :])
        even, odd = doubled.unbind(dim + 1)
        even.narrow(dim, 0, 1).copy_(x.narrow(dim, 0, 1))
        odd.narrow(dim, length - 1, 1).copy_(x.narrow(dim, length - 1, 1))
        first, last = x.narrow(dim, 0, length - 1), x.narrow(dim, 1, length - 1)  # neighbours side by side
        torch.lerp(last, first, before[1:], out=even.narrow(dim, 1, length - 1))
        torch.lerp(first, last, behind[:-1], out=odd.narrow(dim, 0, length - 1))
        x = doubled.flatten(dim, dim + 1)
    return x.permute(0, 3, 1, 2)
