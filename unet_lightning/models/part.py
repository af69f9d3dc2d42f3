"""A tile that knows its place: what a network needs to compute exactly what it would compute on the whole image."""

from typing import NamedTuple

import torch
from torch import Tensor

from unet_lightning.models.context import cut


class Span(NamedTuple):
    """A stretch of the rows, or of the columns, of an image; in pixels of the whole image.

    Attributes:
        start: first one seen, a multiple of the network's stride.
        stop: one after the last one seen.
        keep_start: first one whose output is kept.
        keep_stop: one after the last one whose output is kept.
        length: of the whole image.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int
    length: int

    def halved(self) -> "Span":
        """The span after a pooling by 2, which drops an odd end, with what the way back up needs of it.

        Two convolutions 3 x 3 reach 2 pixels beyond what is kept, interpolation one neighbour further.
        """
        start, stop = self.start // 2, self.stop // 2
        keep_start, keep_stop = (self.keep_start - 3) // 2, (self.keep_stop + 1) // 2 + 2
        return Span(start, stop, max(start, keep_start), min(stop, keep_stop), self.length // 2)

    def doubled(self) -> "Span":
        """The span with more kept: all that doubling what `halved` keeps brings back."""
        half = self.halved()
        stop = self.stop if half.keep_stop == half.stop else 2 * half.keep_stop
        return self._replace(keep_start=2 * half.keep_start, keep_stop=stop)


class Part(NamedTuple):
    """Where a tile lies, and what of its output is wanted."""

    rows: Span
    cols: Span

    def halved(self) -> "Part":
        """Both spans halved."""
        return Part(self.rows.halved(), self.cols.halved())

    def doubled(self) -> "Part":
        """Both spans doubled."""
        return Part(self.rows.doubled(), self.cols.doubled())

    def levels(self, count: int, smallest: int) -> list["Part | None"]:
        """The part at full resolution and after each pooling.

        Args:
            count: of levels.
            smallest: length to which the network pads a shorter image.
        """
        padded = (s if s.length >= smallest else s._replace(stop=smallest, length=smallest) for s in self)
        parts = [Part(*padded)]
        while len(parts) < count:
            parts.append(parts[-1].halved())
        return [*parts]

    def kept(self, image: Tensor, top: int, left: int) -> Tensor:
        """What is kept of an image `(..., H, W)` that begins at row `top` and column `left` of the whole."""
        rows, cols = self
        height, width = rows.keep_stop - rows.keep_start, cols.keep_stop - cols.keep_start
        return cut(image, rows.keep_start - top, cols.keep_start - left, height, width)


def double(image: Tensor, part: Part) -> Tensor:
    """Doubles a part as `nn.Upsample(scale_factor=2, align_corners=True)` doubles the whole; for inference alone.

    With aligned corners a sampling position depends on the length of the whole: of N rows becomes row 2 i, which lies
    i / (2 N - 1) before row i, and row 2 i + 1, (N - 1 - i) / (2 N - 1) behind it. Where the neighbour on that side is
    not in the part, row i stands in.

    Args:
        image: `(B, C, H, W)` float, what `part` keeps.
        part: in pixels of `image`.

    Returns:
        `(B, C, 2 H, 2 W)`.
    """
    precision = torch.promote_types(image.dtype, torch.float32)  # that of nn.Upsample, so that both round alike
    x = image.permute(0, 2, 3, 1)  # (B, H, W, C): a pixel in one piece where the format is channels_last
    for dim, span in ((2, part.cols), (1, part.rows)):
        length = x.shape[dim]
        index = torch.arange(span.keep_start, span.keep_stop, dtype=precision, device=x.device)
        step = torch.tensor((span.length - 1) / (2 * span.length - 1), dtype=precision, device=x.device)
        before, behind = (
            weight.to(x.dtype).reshape(-1, *[1] * (3 - dim))
            for weight in (index - step * (2 * index), step * (2 * index + 1) - index)
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
