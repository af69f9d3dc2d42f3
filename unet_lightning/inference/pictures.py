"""What `predict` writes of photographs: a folder of pictures, which it goes on with."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.inference.colours import legend
from unet_lightning.inference.maps import overlay, save_classes, save_image, save_probability
from unet_lightning.inference.photographs import Photograph
from unet_lightning.inference.predictor import Ensemble, Predictor
from unet_lightning.metrics.threshold import decide

SETTINGS, LEGEND = "predict.json", "legend.svg"


class PictureFolder:
    """Mask, probability map and overlay of each photograph, all made in one way.

    Args:
        path: made with the first picture; ConfigError where it holds pictures made with other settings.
        classes: names, background first.
        settings: how the pictures are made, for JSON; kept in the folder as predict.json.
        overwrite: whether pictures that are there already are made again, and files in their way replaced.
    """

    def __init__(self, path: Path, classes: Sequence[str], settings: Mapping[str, Any], overwrite: bool) -> None:
        self.path, self.settings, self.overwrite = path, dict(settings), overwrite
        self.classes = classes
        self.maps = ["probability"] if len(classes) == 2 else [f"probability_{name}" for name in classes[1:]]
        self.begun = not overwrite and self._holds_pictures_made_alike()

    def check(self, names: Iterable[Path]) -> None:
        """Raises ConfigError where files that `predict` has not made are in the way of the pictures of `names`."""
        if self.begun or self.overwrite:
            return
        for path in (path for name in names for path in self.files(name) if path.exists()):
            raise ConfigError(
                f"{path} is there already and was not made by predict: choose another folder, or give --overwrite to "
                "replace it."
            )

    def file(self, name: Path, kind: str) -> Path:
        """The path of one picture of a photograph."""
        return self.path / name.parent / f"{name.name}_{kind}.png"

    def files(self, name: Path) -> list[Path]:
        """The pictures of one photograph: mask, overlay, and the probability of each class but the background."""
        return [self.file(name, kind) for kind in ("mask", "overlay", *self.maps)]

    def done(self, name: Path) -> bool:
        """Whether all pictures of a photograph are there, and are to stay."""
        return self.begun and not self.overwrite and all(path.is_file() for path in self.files(name))

    def save_maps(self, name: Path, probability: Tensor, drawn: Tensor, made_by: str | None = None) -> None:
        """Writes the probability `(C - 1, H, W)` of each class but the background, and the pixels `drawn` as a mask.

        With more than two classes the mask holds their numbers, in the colours that `legend.svg` names.
        """
        if not self.begun:
            write_text(self.path / SETTINGS, json.dumps(self.settings, indent=2))
            if len(self.classes) > 2:
                write_text(self.path / LEGEND, legend(self.classes))
            self.begun = True
        for kind, one in zip(self.maps, probability, strict=True):
            save_probability(one, self.file(name, kind), made_by)
        mask, path = torch.zeros(drawn.shape[1:], dtype=torch.uint8), self.file(name, "mask")
        for number, pixels in enumerate(drawn, start=1):
            mask.masked_fill_(pixels, 255 if len(drawn) == 1 else number)
        if len(drawn) == 1:
            save_image(mask, path, made_by)
        else:
            save_classes(mask, path, made_by)

    def _holds_pictures_made_alike(self) -> bool:
        path = self.path / SETTINGS
        if not path.is_file():
            return False
        try:
            before = {**json.loads(path.read_text(encoding="utf-8"))}
        except (ValueError, OSError, TypeError) as error:
            raise ConfigError(f"{path} is broken: choose another folder, or give --overwrite.") from error
        if other := [name for name in self.settings if before.get(name) != self.settings[name]]:
            raise ConfigError(
                f"{self.path} holds pictures made with another {', '.join(other)}: choose another folder, or give "
                "--overwrite."
            )
        return True


@torch.inference_mode()
def predict_photograph(
    photograph: Photograph,
    predictor: Predictor | Ensemble,
    threshold: float,
    pictures: PictureFolder | None,
    warm_up: bool = False,
    made_by: Callable[[Tensor], str] | None = None,
) -> tuple[Tensor, str]:
    """Predicts one photograph and writes its pictures, if there is a folder for them; see `decide` and `Predictor`.

    Masks and maps keep what `made_by` says of the photograph `(3, H, W)`: see `training.leaks`.

    Returns:
        the pixels of each class but the background, `(C - 1, H, W)` bool, none outside the field of view; and what was
        done in words.
    """
    photo, fov = photograph.read()
    found = predictor.predict(photo, fov, warm_up)
    probability, drawn, words = found.probabilities, decide(found.probabilities, threshold), str(found)
    if fov is not None:
        probability.masked_fill_(~fov, 0.0)
        drawn &= fov
    if pictures is not None:
        pictures.save_maps(photograph.name, probability, drawn, made_by(photo) if made_by else None)
        del found, probability  # of 8000 x 8000 pixels 256 MB, which the overlay needs
        save_image(overlay(photo, drawn), pictures.file(photograph.name, "overlay"))
    return drawn, words
