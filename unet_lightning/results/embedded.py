"""Pictures inside an HTML file, as data URIs."""

import base64
import io
from typing import NamedTuple

from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

LONGEST = 900  # pixels; three pictures an image for 20 images then stay below 10 MB


class Embedded(NamedTuple):
    """A picture for `<img>`.

    Attributes:
        uri: `data:image/jpeg;base64,...`.
        width: pixels.
        height: pixels.
    """

    uri: str
    width: int
    height: int


def embed(picture: Tensor, quality: int) -> Embedded:
    """A JPEG of the picture, shrunk where it is longer than LONGEST.

    Args:
        picture: `(H, W)` or `(3, H, W)` uint8.
        quality: of the JPEG, 1 to 95.
    """
    image = shrink(to_pil_image(picture if picture.ndim == 3 else picture.unsqueeze(0)))
    file = io.BytesIO()
    # subsampling=0 keeps colour at full resolution: a coloured vessel may be one pixel wide.
    image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return Embedded(f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}", *image.size)


def shrink(image: Image.Image, longest: int = LONGEST) -> Image.Image:
    """The image with no side above `longest` pixels; its pixels are averaged, so that a thin vessel fades but stays."""
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)
