"""What labels hold: the share of each class, and what about it cannot be right, or is doubtful."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.text import some

log = logging.getLogger(__name__)


class Shares(NamedTuple):
    """The pixels of each class that count, in each label of some images."""

    images: Sequence[str]  # ids
    classes: Sequence[str]
    counts: Tensor  # (N, C) int64

    def __str__(self) -> str:
        total = self.counts.sum(0)
        shares = zip(self.classes, (100 * total / total.sum()).tolist(), strict=True)
        return f"{', '.join(f'{name} {share:.2f} %' for name, share in shares)} of the counted pixels"

    @property
    def foreground(self) -> Tensor:
        """The share of all classes but the background in each label, `(N,)` float32."""
        return 1 - self.counts[:, 0] / self.counts.sum(1)

    @property
    def whole_foreground(self) -> float:
        """The same of all labels together."""
        return 1 - float(self.counts[:, 0].sum() / self.counts.sum())

    @property
    def missing(self) -> list[str]:
        """Classes that no label holds."""
        return [name for name, count in zip(self.classes, self.counts.sum(0).tolist(), strict=True) if count == 0]


def shares_in(dataset: SegmentationDataset) -> Shares:
    """Counts the classes in the labels of a data set; DataError where nothing counts in one of them."""
    return checked_shares(dataset.image_ids, dataset.classes, torch.tensor([one.counts for one in dataset.facts]))


def shares_of(image_ids: Sequence[str], classes: Sequence[str], targets: Iterable[Tensor]) -> Shares:
    """Counts the classes in targets `(H, W)` uint8; DataError where nothing counts in one of them."""
    counts = [torch.bincount(target.flatten(), minlength=IGNORE + 1)[: len(classes)] for target in targets]
    return checked_shares(image_ids, classes, torch.stack(counts))


def checked_shares(image_ids: Sequence[str], classes: Sequence[str], counts: Tensor) -> Shares:
    """The pixels of each class, `(N, C)`; DataError where nothing counts in one of the labels."""
    if empty := [name for name, count in zip(image_ids, counts.sum(1).tolist(), strict=True) if count == 0]:
        raise DataError(
            f"No pixel counts in the label of image {some(empty)}: all are {IGNORE} (ignored), or its mask leaves "
            "none. Correct the label or its mask, or remove the image."
        )
    return Shares(image_ids, classes, counts)


def class_pixels(part: SegmentationDataset) -> list[int]:
    """The counted pixels of each class in the labels of some images."""
    return [int(count) for count in shares_in(part).counts.sum(0)]


def classes_of(part: SegmentationDataset | None) -> dict[str, Any]:
    """What a checkpoint keeps of the classes: their names, background first, and their pixels in training."""
    return {"classes": list(part.classes), "class_pixels": class_pixels(part)} if part else {"classes": []}


def doubts(shares: Shares, most: float = SegmentationDataset.most_foreground) -> list[str]:
    """What is doubtful about labels, a sentence each with what to do; empty where all looks right.

    Args:
        shares: of the classes.
        most: of two classes, the greatest share of the second one that is no reason for doubt.
    """
    if len(shares.classes) > 2:
        return [
            f"No label holds the class {name}: nothing can be learnt or measured of it. Check data.dataset.classes and "
            "the numbers in the labels, or choose images that have it."
            for name in shares.missing
        ]
    name, share, each = shares.classes[VESSEL], shares.whole_foreground, shares.foreground
    if share == 0:
        return [f"No label holds {name}: Dice says nothing here. Check the labels, or choose images that have it."]
    if share > most:
        return [f"{name} covers {share:.1%} of the counted pixels: are the labels inverted? Then invert their files."]
    if odd := [image for image, one in zip(shares.images, each.tolist(), strict=True) if one > most]:
        return [
            f"{name} covers more than {most:.0%} of the label of image {some(odd)}, {each.median():.1%} of the "
            "median label: is it inverted? Then invert the file."
        ]
    return []


def check_not_single(shares: Shares) -> None:
    """Raises DataError where the labels to train on hold a single class."""
    if len(shares.missing) == len(shares.classes) - 1:
        only = next(name for name in shares.classes if name not in shares.missing)
        raise DataError(
            f"All counted pixels of the {len(shares.images)} training labels are {only}: nothing can be learnt. Check "
            "the label files: masks are black and white (0 and 255), labels of several classes hold their numbers."
        )


def check_labels(train: SegmentationDataset, val: SegmentationDataset, aloud: bool = True) -> None:
    """Says the classes' shares in one line, and what is doubtful about them; refuses what cannot be right.

    Args:
        train: the photographs to train on.
        val: those to validate on; there may be none.
        aloud: whether anything is said: of several processes one does.

    Raises:
        ConfigError: of two classes the second one covers more than `most_foreground` of the training pixels.
        DataError: the training labels hold a single class, or nothing counts in one of all labels.
    """
    parts = {
        f"{len(part)} {what} images": shares_in(part)
        for what, part in (("training", train), ("validation", val))
        if len(part)
    }
    first = next(iter(parts.values()))
    check_not_single(first)
    if len(first.classes) == 2 and (share := first.whole_foreground) > train.most_foreground:
        raise ConfigError(
            f"{first.classes[VESSEL]} covers {share:.1%} of the counted pixels of the {len(train)} training labels, at "
            f"most {train.most_foreground:.1%} are expected (data.most_foreground): they look inverted. Invert "
            "them (`magick mogrify -negate labels/*.png`), or set data.most_foreground=1 where it does cover most."
        )
    if aloud:
        log.info(f"Labels of {'; '.join(f'{what}: {shares}' for what, shares in parts.items())}")
        for what, shares in parts.items():
            for doubt in doubts(shares, train.most_foreground):
                log.warning(f"Of the {what}: {doubt}")


def checked_share(value: Any) -> float:
    """The value of `data.most_foreground`; ConfigError where it is no share."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"data.most_foreground must be a share above 0 and up to 1, found {value}.")
    return float(value)
