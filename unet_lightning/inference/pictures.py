"""What `predict` writes of photographs: a folder of pictures, which it goes on with."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.inference.maps import save_image, save_mask, save_probability
from unet_lightning.inference.overlay import overlay
from unet_lightning.inference.photographs import Photograph
from unet_lightning.inference.predictor import Ensemble, Predictor
from unet_lightning.metrics.threshold import decide

SETTINGS = "predict.json"


class PictureFolder:
    """Mask, probability map and overlay of each photograph, all made in one way.

    Args:
        path: made with the first picture.
        classes: names, background first.
        settings: how the pictures are made, for JSON; kept in the folder as predict.json.
        overwrite: whether pictures that are there already are made again, and files in their way replaced.

    Raises:
        ConfigError: the folder holds pictures made in another way.
    """

    def __init__(self, path: Path, classes: Sequence[str], settings: Mapping[str, Any], overwrite: bool) -> None:
        self.path, self.classes, self.settings, self.overwrite = path, classes, dict(settings), overwrite
        self.begun = self._goes_on() and not overwrite

    def check(self, names: Iterable[Path]) -> None:
        """Raises ConfigError where files that `predict` has not made are in the way of the pictures of `names`."""
        if self.begun or self.overwrite:
            return
        there = [path for name in names for path in self.files(name) if path.exists()]
        if there:
            raise ConfigError(
                f"{there[0]} is there already and was not made by predict: choose another folder, or give --overwrite "
                "to replace it."
            )

    def files(self, name: Path) -> list[Path]:
        """The pictures of one photograph: mask, overlay, and the probability of each class but the background."""
        kinds = ["mask", "overlay", *(self._probability(number) for number in range(1, len(self.classes)))]
        return [self._file(name, kind) for kind in kinds]

    def done(self, name: Path) -> bool:
        """Whether all pictures of a photograph are there, and are to stay."""
        return self.begun and not self.overwrite and all(path.is_file() for path in self.files(name))

    def save_maps(self, name: Path, probability: Tensor, drawn: Tensor) -> None:
        """Writes what was found in one photograph.

        Args:
            name: of the photograph.
            probability: `(C - 1, H, W)` float32.
            drawn: `(C - 1, H, W)` bool, the pixels of each class but the background.

        Raises:
            UserError: a picture cannot be written.
        """
        if not self.begun:
            write_text(self.path / SETTINGS, json.dumps(self.settings, indent=2))
            self.begun = True
        for number, one in enumerate(probability, start=1):
            save_probability(one, self._file(name, self._probability(number)))
        if len(drawn) == 1:
            save_mask(drawn[0], self._file(name, "mask"))
        else:  # the number of each pixel's class
            numbers = torch.arange(1, len(self.classes), dtype=torch.uint8)[:, None, None]
            save_image((drawn * numbers).sum(0).to(torch.uint8), self._file(name, "mask"))

    def save_overlay(self, name: Path, photo: Tensor, drawn: Tensor) -> None:
        """Paints the pixels of `drawn`, `(C - 1, H, W)` bool, over the photograph `(3, H, W)` uint8 and writes it.

        Raises:
            UserError: the picture cannot be written.
        """
        save_image(overlay(photo, drawn.any(0)), self._file(name, "overlay"))

    def _goes_on(self) -> bool:
        """Whether there are pictures already that were made as these will be."""
        path = self.path / SETTINGS
        if not path.is_file() or self.overwrite:
            return False
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            before = None
        if not isinstance(before, dict):
            raise ConfigError(f"{path} is broken: choose another folder, or give --overwrite.")
        other = [name for name in self.settings if before.get(name) != self.settings[name]]
        if other:
            raise ConfigError(
                f"{self.path} holds pictures made with another {', '.join(other)}: choose another folder, or give "
                "--overwrite."
            )
        return True

    def _file(self, name: Path, kind: str) -> Path:
        """The path of one picture."""
        path = self.path / name
        return path.with_name(f"{path.name}_{kind}.png")

    def _probability(self, number: int) -> str:
        """What the map of a class is called."""
        return "probability" if len(self.classes) == 2 else f"probability_{self.classes[number]}"


@torch.inference_mode()
def predict_photograph(
    photograph: Photograph,
    predictor: Predictor | Ensemble,
    threshold: float,
    pictures: PictureFolder | None,
    warm_up: bool = False,
) -> tuple[Tensor, str]:
    """Predicts one photograph and writes its pictures; outside the field of view nothing is found.

    Args:
        photograph: to be read.
        predictor: that is applied.
        threshold: see `decide`.
        pictures: where they are written; None: nowhere.
        warm_up: see `Predictor.predict`.

    Returns:
        the pixels of each class but the background, `(C - 1, H, W)` bool, and what was done in words.

    Raises:
        UserError: the photograph cannot be read, or a picture not be written.
    """
    photo, fov = photograph.read()
    found = predictor.predict(photo, fov, warm_up)
    probability, drawn, words = found.probabilities, decide(found.probabilities, threshold), str(found)
    if fov is not None:
        probability.masked_fill_(~fov, 0.0)
        drawn &= fov
    if pictures is not None:
        pictures.save_maps(photograph.name, probability, drawn)
        del found, probability  # of 8000 x 8000 pixels 256 MB, which the overlay needs
        pictures.save_overlay(photograph.name, photo, drawn)
    return drawn, words
