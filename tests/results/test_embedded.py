import base64
import io

import torch
from PIL import Image

from unet_lightning.results.embedded import LONGEST, embed, shrink


def decoded(picture, quality=90):
    embedded = embed(picture, quality)
    kind, data = embedded.uri.split(",")
    assert kind == "data:image/jpeg;base64"
    return embedded, Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_small_picture_keeps_its_size():
    embedded, image = decoded(torch.zeros(3, 584, 565, dtype=torch.uint8))
    assert image.size == (565, 584) == (embedded.width, embedded.height)


def test_a_large_picture_keeps_its_shape():
    embedded, image = decoded(torch.zeros(3, 2336, 3504, dtype=torch.uint8))
    assert image.size == (LONGEST, LONGEST * 2 // 3) == (embedded.width, embedded.height)


def test_a_probability_is_grey():
    assert decoded(torch.zeros(8, 9, dtype=torch.uint8))[1].mode == "L"


def test_a_thin_line_fades_but_stays():
    for column in range(4):  # nearest-pixel sampling would lose it at three of four places
        wide = Image.new("L", (400, 400))
        wide.paste(255, (column, 0, column + 1, 400))
        assert shrink(wide, 100).getpixel((0, 50)) == 64  # a quarter of 255


def test_a_very_long_picture_keeps_a_pixel_of_width():
    assert shrink(Image.new("L", (1, 3000)), 100).size == (1, 100)


def test_a_coloured_line_of_one_pixel_keeps_its_colour():
    picture = torch.full((3, 64, 64), 40, dtype=torch.uint8)
    picture[:, :, 32] = torch.tensor([230, 159, 0], dtype=torch.uint8)[:, None]
    red, _, blue = decoded(picture, quality=80)[1].getpixel((32, 30))
    assert red - blue > 150
