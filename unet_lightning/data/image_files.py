"""The files of one image."""

from dataclasses import dataclass
from pathlib import Path

from unet_lightning.errors import DataError


@dataclass(frozen=True)
class ImageFiles:
    """The files of one image; None where the data set has no such file."""

    image_id: str
    photo: Path
    label: Path | None = None
    fov: Path | None = None
    second_label: Path | None = None

    def existing(self, fov: str, remedy: str, labelled: bool = True) -> "ImageFiles":
        """These files without the ones that do not exist; the photograph must.

        The label must too where `labelled`, and the mask where `fov` is `mask`: else DataError, with the remedy.
        """
        for what, path, needed in (
            ("photograph", self.photo, True),
            ("label", self.label, labelled),
            ("field-of-view mask", self.fov, fov == "mask"),
        ):
            if needed and path and not path.is_file():
                other = " Or set data.dataset.fov=auto." if path == self.fov else ""
                raise DataError(f"No {what} for image {self.image_id}: looked for {path}. {remedy}{other}")
        optional = (self.label, self.fov, self.second_label)
        return ImageFiles(self.image_id, self.photo, *(path if path and path.is_file() else None for path in optional))
