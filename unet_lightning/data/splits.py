"""Which images of the train split are to validate on."""

from collections.abc import Sequence

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.groups import check_kept_together
from unet_lightning.errors import ConfigError


def validated(
    development: SegmentationDataset, val_ids: Sequence[str] | None, folds: int | None, fold: int
) -> list[str]:
    """The images to validate on: those of `val_ids`, or of `folds` the images of every `folds`-th person from `fold`.

    Raises:
        ConfigError: there are fewer people than folds, or a person has images on both sides.
    """
    held_out = list(dict.fromkeys(val_ids or []))  # an id that is given twice counts once
    if folds is not None:
        people = list(dict.fromkeys(map(development.patient_of, development.image_ids)))
        if folds > len(people):
            raise ConfigError(
                f"data.folds={folds} for {len(development)} images of {len(people)} people: at most one fold a person "
                "(an image, where nothing tells whose it is)."
            )
        chosen = {*people[fold::folds]}
        held_out = [name for name in development.image_ids if development.patient_of(name) in chosen]
    left, patients = {*held_out}, {name: development.patient_of(name) for name in development.image_ids}
    remaining = [name for name in development.image_ids if name not in left]
    check_kept_together([name for name in held_out if name in patients], remaining, patients, "data.val_ids")
    return held_out
