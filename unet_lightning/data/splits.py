"""Which images are for training, validation and test."""

from collections.abc import Sequence
from typing import TypeVar

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.errors import ConfigError

T = TypeVar("T")


def of_split(split: str, train: Sequence[T], test: Sequence[T]) -> list[T]:
    """The images of a data set's own split: `train`, `test`, or `all`, the two joined.

    Raises:
        ConfigError: another split.
    """
    splits = {"train": [*train], "test": [*test], "all": [*train, *test]}
    if split not in splits:
        raise ConfigError(f"A data set has the splits train, test and all (both), found {split}.")
    return splits[split]


def check_folds(folds: int | None, fold: int | None) -> None:
    """Raises ConfigError where only one of the two is given, or one is out of range."""
    if (folds is None) != (fold is None):
        raise ConfigError(f"data.folds and data.fold go together: found folds={folds} and fold={fold}.")
    if folds is not None and fold is not None and not (folds >= 2 and 0 <= fold < folds):
        raise ConfigError(f"data.folds must be at least 2 and data.fold from 0 to folds - 1: found {folds}, {fold}.")


def ids_of_fold(dataset: SegmentationDataset, folds: int, fold: int | None) -> list[str]:
    """The validation images of a fold: those of every `folds`-th patient, from patient number `fold`.

    Raises:
        ConfigError: there are fewer patients than folds.
    """
    patients = list(dict.fromkeys(map(dataset.patient_of, dataset.image_ids)))
    if folds > len(patients):
        raise ConfigError(
            f"data.folds={folds} for {len(dataset)} images of {len(patients)} people: at most one fold a person (an "
            "image, where nothing tells whose it is)."
        )
    chosen = set(patients[fold::folds])
    return [image_id for image_id in dataset.image_ids if dataset.patient_of(image_id) in chosen]
