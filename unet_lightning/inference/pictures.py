"""What `predict` writes of photographs: a folder of pictures, which it goes on with."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unet_lightning.data.content import digest
from unet_lightning.data.fov import doubt, find_field_of_view
from unet_lightning.errors import ConfigError
from unet_lightning.files import locked, write_text
from unet_lightning.inference.colours import legend
from unet_lightning.inference.maps import MADE_OF, overlay, save_classes, save_image, save_probability, text_in
from unet_lightning.inference.photographs import Photograph
from unet_lightning.inference.predictor import Ensemble, Predictor
from unet_lightning.metrics.threshold import decide

SETTINGS, LEGEND, LOCK = "predict.json", "legend.svg", ".predict.lock"


class PictureFolder:
    """Mask, probability map and overlay of each photograph, all made in one way.

    Args:
        path: ConfigError where it holds pictures made with other settings.
        classes: names, background first.
        settings: how the pictures are made, for JSON; kept in the folder as predict.json.
        overwrite: whether pictures that are there already are made again, and files in their way replaced.
    """

    def __init__(self, path: Path, classes: Sequence[str], settings: Mapping[str, Any], overwrite: bool) -> None:
        self.path, self.settings, self.overwrite = path, dict(settings), overwrite
        self.classes = classes
        self.maps = ["probability"] if len(classes) == 2 else [f"probability_{name}" for name in classes[1:]]
        self.begun = not overwrite and self._holds_pictures_made_alike()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes out of the folder, which is made; ConfigError where one is in it."""
        made = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        other = ConfigError(f"Another command is writing into {self.path}: wait for its end, or give another --out.")
        with locked(self.path / LOCK, other):
            self.begun = not self.overwrite and self._holds_pictures_made_alike()  # by now
            yield
        if made and not self.begun:
            with contextlib.suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()

    def made_of(self, photo: Tensor, mask: Tensor | None) -> str:
        """What tells pictures of this photograph, and mask, with these settings from all others."""
        settings = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]
        return " ".join([digest(photo), "" if mask is None else digest(mask), settings])

    def file(self, name: Path, kind: str) -> Path:
        """The path of one picture of a photograph."""
        return self.path / name.parent / f"{name.name}_{kind}.png"

    def files(self, name: Path) -> list[Path]:
        """The pictures of one photograph: mask, overlay, and the probability of each class but the background."""
        return [self.file(name, kind) for kind in ("mask", "overlay", *self.maps)]

    def done(self, name: Path, made_of: str) -> bool:
        """Whether all pictures of a photograph are there, and are to stay.

        Raises:
            ConfigError: a file of their names is there that was made of something else, or in another way.
        """
        if self.overwrite:
            return False
        there = [path for path in self.files(name) if os.path.lexists(path)]
        for path in there:
            if text_in(path, MADE_OF) != made_of:
                raise ConfigError(
                    f"{path} is there already, and predict has not made it of this photograph with these settings: "
                    "choose another folder, or give --overwrite to replace it."
                )
        return len(there) == len(self.files(name))

    def save_maps(
        self, name: Path, probability: Tensor, drawn: Tensor, made_by: str | None = None, made_of: str | None = None
    ) -> None:
        """Writes the probability `(C - 1, H, W)` of each class but the background, and the pixels `drawn` as a mask.

        With more than two classes the mask holds their numbers, in the colours that `legend.svg` names.
        """
        if not self.begun:
            write_text(self.path / SETTINGS, json.dumps(self.settings, indent=2))
            if len(self.classes) > 2:
                write_text(self.path / LEGEND, legend(self.classes))
            self.begun = True
        for kind, one in zip(self.maps, probability, strict=True):
            save_probability(one, self.file(name, kind), made_by, made_of)
        mask, path = torch.zeros(drawn.shape[1:], dtype=torch.uint8), self.file(name, "mask")
        for number, pixels in enumerate(drawn, start=1):
            mask.masked_fill_(pixels, 255 if len(drawn) == 1 else number)
        if len(drawn) == 1:
            save_image(mask, path, made_by, made_of)
        else:
            save_classes(mask, path, made_by, made_of)

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
    again: bool = True,
) -> tuple[Tensor | None, str]:
    """Predicts one photograph and writes its pictures, if there is a folder for them; see `decide` and `Predictor`.

    Masks and maps keep what `made_by` says of the photograph `(C, H, W)`: see `training.origin`. Pictures that are
    there are made `again`, or left.

    Returns:
        the pixels of each class but the background, `(C - 1, H, W)` bool, none outside the field of view, or None where
        nothing was left to do; and what was done in words.
    """
    photo, fov = photograph.read()
    made_of = None if pictures is None else pictures.made_of(photo, fov)
    if pictures is not None and made_of is not None and pictures.done(photograph.name, made_of) and not again:
        return None, "there already"
    unclear = None
    if fov is None and photograph.find_fov:
        fov = find_field_of_view(photo)
        unclear = doubt(fov)
    found = predictor.predict(photo, fov, warm_up)
    probability, drawn, words = found.probabilities, decide(found.probabilities, threshold), str(found)
    if unclear is not None and found.doubt is None:
        words = f"{words}, {unclear}"
    if fov is not None:
        probability.masked_fill_(~fov, 0.0)
        drawn &= fov
    if pictures is not None:
        said = None if made_by is None else made_by(photo)
        pictures.save_maps(photograph.name, probability, drawn, said, made_of)
        del found, probability  # of 8000 x 8000 pixels 256 MB, which the overlay needs
        save_image(overlay(photo, drawn), pictures.file(photograph.name, "overlay"), made_of=made_of)
    return drawn, words
