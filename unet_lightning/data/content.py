"""What photographs and labels are, whatever their files are called: digests of the decoded pixels, and their looks."""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from unet_lightning.data.shown import shown

SIDE = 16  # of the grid of a look
LARGE = 1024  # pixels of a side of which all are looked at
# Bits of 512 by which looks of one photograph may differ. Of DRIVE's and CHASE_DB1's 68 photographs no two are nearer
# than 53, turned and mirrored ones 67; a JPEG of quality 30 is up to 16 from its photograph, a brighter copy 26.
NEAR = 32
FLAT = 26  # fewer bits than this: a picture of one grey, which looks like every other
CORNERS = 100  # of outlines: no two labels with so many are equal by chance, as empty ones and squares are

# Digests of the `photograph`, and where there are such files of its `label` and `fov`; its `look`; and `drawing`, the
# digest of a label that is like no other; the name of its `group`, such as a patient who may have others.
Content = Mapping[str, str]


def digest(pixels: Tensor) -> str:
    """The digest of a decoded photograph, `(C, H, W)` uint8 or float32, or of a label or mask, `(H, W)` uint8 or bool.

    Files of one content have one digest, whatever their name, format or compression without loss; grey has that of the
    same as red, green and blue, as which it may be read.
    """
    if pixels.ndim == 3 and len(pixels) == 1 and pixels.dtype == torch.uint8:
        pixels = pixels.expand(3, -1, -1)
    array = np.ascontiguousarray((pixels.permute(1, 2, 0) if pixels.ndim == 3 else pixels).numpy())
    # As it is read, a photograph lies in memory as (H, W, 3): nothing is copied.
    found = hashlib.sha256(repr(array.shape).encode())
    found.update(array.view(np.uint8).data)
    return found.hexdigest()[:32]


def is_drawn(label: Tensor) -> bool:
    """Whether a label, `(H, W)` uint8, has so many corners in its outlines that only a copy of it is equal to it."""
    edges = label[:, 1:] != label[:, :-1]
    return int((edges[1:] != edges[:-1]).sum().item()) >= CORNERS


def look(photo: Tensor) -> str:
    """The perceptual hash of a photograph, `(C, H, W)` as it is shown: where its grey, on a coarse grid, rises.

    To the right, and downwards: 512 bits, as hexadecimal digits.

    Source: N. Krawetz, "Kind of like that", hackerfactor.com, 2013 (dHash).
    """
    return _rises(_grid(photo)).tobytes().hex()


def alike(photo: Tensor, looks: Iterable[str]) -> str | None:
    """The first of `looks` that a photograph nearly has, also turned by 90 degrees or mirrored; None: none of them."""
    known = {one: np.unpackbits(np.frombuffer(bytes.fromhex(one), np.uint8)) for one in looks}
    grid = _grid(photo)
    views = [np.rot90(turned, k) for turned in (grid, grid.T) for k in range(4)]
    for bits in (np.unpackbits(_rises(view)) for view in views):
        if FLAT <= bits.sum() <= bits.size - FLAT:
            for one, others in known.items():
                if np.count_nonzero(bits != others) <= NEAR:
                    return one
    return None


def _grid(photo: Tensor) -> npt.NDArray[np.int16]:
    step = max(1, min(photo.shape[1:]) // LARGE)  # for a coarse grid some of the pixels do, and Pillow copies them
    pixels = shown(photo[:, ::step, ::step]).permute(1, 2, 0).numpy()
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    return np.asarray(image.resize((SIDE + 1, SIDE + 1), Image.Resampling.LANCZOS), dtype=np.int16)


def _rises(grid: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    inner = grid[:-1, :-1]
    return np.packbits(np.stack([grid[:-1, 1:] > inner, grid[1:, :-1] > inner]))
