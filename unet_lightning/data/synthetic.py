"""Retina-like photographs drawn from a seed, in DRIVE's layout and size, so that everything runs without a download.

A threshold alone does not find the vessels: the light is uneven, haemorrhages are as dark as vessels, vessels differ in
contrast, and the thinnest drown in noise.
"""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur, pil_to_tensor, to_pil_image

from unet_lightning.data.drive import SIZE, DriveDataset, expected_files
from unet_lightning.errors import ConfigError, DataError

LEAST_SIDE = 16  # pixels: vessels and disc need some room
OVERSAMPLING = 2  # lines are drawn on a finer grid and averaged
SECOND_OBSERVER_MISSES = 2.2  # pixels at DRIVE's size: the second observer leaves out thinner vessels
RETINA = (0.78, 0.42, 0.22)  # mean colour, red to blue
VESSEL_DEPTH = (0.25, 0.45, 0.30)  # share of the light that a full vessel takes, red to blue


class SyntheticDataset(DriveDataset):
    """40 drawn photographs with a field of view, a first and (in test) a second observer, named as DRIVE's are.

    They are kept below `root`, in a folder for each seed and size (height, width), and drawn where they are missing, or
    else with `draw` false a DataError.
    """

    name = "synthetic"

    def __init__(
        self,
        root: str | Path,
        split: str,
        seed: int = 0,
        size: Sequence[int] = SIZE,
        fov: str = "mask",
        draw: bool = True,
    ) -> None:
        if len(size) != 2 or not all(isinstance(side, int) and side >= LEAST_SIDE for side in size):
            raise ConfigError(
                f"data.dataset.size must be height and width in pixels, at least {LEAST_SIDE}, found {list(size)}."
            )
        size = (size[0], size[1])
        folder = Path(root) / f"seed-{seed}-{size[0]}x{size[1]}"
        if not folder.is_dir():
            if not draw:
                raise DataError(
                    f"No drawn photographs in {folder}, where the run had its own. Name their folder, or one in which "
                    "they are drawn anew, by data.root=<folder>."
                )
            draw_dataset(folder, seed, size)
        super().__init__(folder, split, fov)


def draw_dataset(folder: Path, seed: int, size: tuple[int, int] = SIZE) -> None:
    """Draws 40 photographs with masks and labels into `folder`, which must not exist and appears when all are drawn."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent, ignore_cleanup_errors=True) as temporary:
        partial = Path(temporary) / folder.name
        for number in range(1, 41):
            images = draw_photograph(random.Random(f"{seed}/{number}"), size)
            for what, name in expected_files(number).items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                images[what].save(partial / name)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have drawn the same and come first
                raise


def draw_photograph(rng: random.Random, size: tuple[int, int]) -> dict[str, Image.Image]:
    """One photograph: `photo` (RGB), `fov`, `label` and `second_label` (L, 0 and 255)."""
    height, width = size
    unit = width / SIZE[1]  # one pixel of DRIVE
    generator = torch.Generator().manual_seed(rng.getrandbits(62))
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    fov = (y - height / 2) ** 2 + (x - width / 2) ** 2 <= (270 * unit) ** 2
    side = rng.choice((-1, 1))  # left or right eye
    disc = (width / 2 + side * rng.uniform(130, 180) * unit, height / 2 + rng.uniform(-40, 40) * unit)

    vessels = grow_tree(rng, disc, side, unit)
    depth = _draw_vessels(vessels, size, thinnest=0.0, shaded=True)
    label = _draw_vessels(vessels, size, thinnest=0.0, shaded=False) >= 0.5
    second = _draw_vessels(vessels, size, thinnest=SECOND_OBSERVER_MISSES * unit, shaded=False) >= 0.5

    light = 1 + 0.35 * _clouds(size, 90 * unit, generator)
    tint = torch.tensor(RETINA).view(3, 1, 1) * (1 + 0.06 * torch.randn(3, 1, 1, generator=generator))
    photo = tint * light * (1 - torch.tensor(VESSEL_DEPTH).view(3, 1, 1) * depth)
    photo = photo * (1 + 0.05 * _clouds(size, 3 * unit, generator))  # texture of the background
    for _ in range(rng.randint(8, 16)):  # haemorrhages and exudates: as dark as vessels, or brighter
        shade = rng.choice((-0.4, -0.3, 0.3))
        spot = _spot(x, y, (rng.uniform(0, width), rng.uniform(0, height)), rng.uniform(3, 9) * unit)
        photo = photo * (1 + shade * spot)
    disc_colour = torch.tensor((0.3, 0.9, 0.6)).view(3, 1, 1)
    photo = photo + 0.45 * _spot(x, y, disc, 32 * unit) * disc_colour * (1 - 0.5 * depth)
    macula = (width / 2 - side * 60 * unit, disc[1] + 20 * unit)
    photo = photo * (1 - 0.3 * _spot(x, y, macula, 45 * unit))
    photo = gaussian_blur(photo, [5, 5], [0.8, 0.8]) + 0.025 * torch.randn(3, height, width, generator=generator)
    images = {"photo": photo * fov, "fov": fov, "label": label & fov, "second_label": second & fov}
    as_bytes = {what: (image.float().clamp(0, 1) * 255).round().to(torch.uint8) for what, image in images.items()}
    return {what: to_pil_image(image) for what, image in as_bytes.items()}


Vessel = tuple[list[tuple[float, float]], float, float]  # points (x, y), width in pixels, darkness 0 to 1


def grow_tree(rng: random.Random, disc: tuple[float, float], side: int, unit: float) -> list[Vessel]:
    """Arteries and veins that leave the disc, bend around the macula and fork until they are thin.

    At a fork the cubed widths of the branches add up to 0.8 of the stem's; by Murray's law (1926) it would be 1.
    """
    vessels: list[Vessel] = []
    stems = [(math.radians(angle), rng.uniform(6.0, 8.5)) for angle in (-125, -105, -60, 60, 105, 125)]
    # Angles are from the disc towards the macula; y grows downwards.
    toward = math.pi if side > 0 else 0.0
    tips = [(disc, toward + angle + rng.uniform(-0.25, 0.25), w, rng.uniform(0.6, 1.0)) for angle, w in stems]
    while tips:
        (x, y), heading, width, darkness = tips.pop()
        points = [(x, y)]
        bend = rng.gauss(0, 0.02)
        for _ in range(int(rng.uniform(5, 12) * width**0.5)):
            heading += bend + rng.gauss(0, 0.08)
            x, y = x + 6 * unit * math.cos(heading), y + 6 * unit * math.sin(heading)
            points.append((x, y))
        vessels.append((points, max(width, 1.0) * unit, darkness))
        if width < 1.1:
            continue
        share = rng.uniform(0.15, 0.5)
        turn = rng.choice((-1, 1)) * rng.uniform(0.5, 1.0)
        tips.append(((x, y), heading - 0.35 * turn, width * (1 - share) ** (1 / 3) * 0.93, darkness))
        tips.append(((x, y), heading + turn, width * share ** (1 / 3) * 0.93, darkness))
    return vessels


def _draw_vessels(vessels: list[Vessel], size: tuple[int, int], thinnest: float, shaded: bool) -> Tensor:
    """The share of each pixel that vessels of at least `thinnest` pixels cover; times their darkness if `shaded`."""
    height, width = size
    canvas = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for points, vessel_width, darkness in sorted(vessels, key=lambda vessel: vessel[1]):
        if vessel_width >= thinnest:
            # Thin vessels are fainter, as the camera's blur makes them.
            ink = round(255 * darkness * min(1.0, 0.35 + vessel_width / 6)) if shaded else 255
            scaled = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
            pen.line(scaled, fill=ink, width=max(1, round(vessel_width * OVERSAMPLING)), joint="curve")
    coverage: Tensor = pil_to_tensor(canvas.resize((width, height), Image.Resampling.BOX))[0].float() / 255
    return coverage


def _clouds(size: tuple[int, int], grain: float, generator: torch.Generator) -> Tensor:
    """Smooth noise between -1 and 1 whose features are about `grain` pixels wide, `(H, W)`."""
    cells = [max(2, round(side / grain)) for side in size]
    noise = torch.rand(1, 1, *cells, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(noise, size, mode="bicubic", align_corners=False)[0, 0].clamp(-1, 1)


def _spot(x: Tensor, y: Tensor, centre: tuple[float, float], radius: float) -> Tensor:
    """A disc with a soft rim, 0 to 1."""
    distance = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2).sqrt()
    return torch.sigmoid((radius - distance) / (0.15 * radius))
