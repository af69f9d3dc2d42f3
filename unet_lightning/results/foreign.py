"""Probability maps of another program, as `evaluate` measures them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.data.opening import check_turns
from unet_lightning.data.seen import Findings, images_of
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.maps import read_levels
from unet_lightning.results.decided import USUAL_THRESHOLD, Maps, with_threshold
from unet_lightning.results.maps import open_photographs
from unet_lightning.results.places import evaluation_name
from unet_lightning.results.tables import many_of
from unet_lightning.text import as_id, shown
from unet_lightning.training.origin import MAPS_UNKNOWN, MadeBy, Origin, read_made_by

FAINT = 15  # times that the white of maps exceeds all that they hold: they have another white
# What else programs take for probability 1 in 8 and in 16 bits: percent, signed numbers, 14 bits, parts in 10,000.
OTHER_WHITES = {255: (100, 127, 128), 65535: (10_000, 16_383, 16_384, 32_767, 32_768)}


@dataclass(frozen=True)
class MapSource:
    """Maps of another program in a folder, of the photographs of a whole `data` section.

    Raises:
        ConfigError: the folder does not exist, or no data set is named.
    """

    folder: Path
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ConfigError(f"No folder of probability maps: {self.folder}.")
        if "_target_" not in self.data:
            raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")

    def splits(self, split: str | None) -> list[str]:
        """The test images, unless others are named."""
        return [split or "test"]

    def name(self, split: str, threshold: float | None = None, **measured: Any) -> str:
        """The name of the evaluation of a split; what is `measured` in another way than the usual one is added."""
        settings = {} if threshold in (None, USUAL_THRESHOLD) else {"threshold": threshold}
        return evaluation_name(open_photographs(self.data, split).name, split, settings | measured)

    def maps(self, split: str, threshold: float | None = None) -> Maps:
        """The maps of a split, see `read_maps`."""
        return read_maps(self.folder, self.data, split, threshold)


def read_maps(folder: Path, data: Mapping[str, Any], split: str, threshold: float | None = None) -> Maps:
    """Maps of another program: `<image id or name of the photograph>.png` or `.npy` in a folder.

    Raises:
        ConfigError: the data set has more than two classes.
        DataError: a photograph has no map or two, or one that is broken or of another size; see `check_scale`.
    """
    dataset = open_photographs(data, split)
    if len(dataset.classes) > 2:
        raise ConfigError(
            f"A folder of probability maps has one map an image, of one class beside the background; {dataset.name} "
            f"has the classes {', '.join(dataset.classes)}. Measure such a network by its run folder: run=<run folder>."
        )
    maps, said = [], []
    ranges: dict[Path, tuple[int, float, float]] = {}
    files = {as_id(path.stem) + path.suffix: path for path in folder.iterdir() if path.is_file()}
    for index, record in enumerate(dataset.files):
        stems = dict.fromkeys((record.image_id, as_id(record.photo.stem)))
        names = [f"{stem}{suffix}" for stem in stems for suffix in (".png", ".npy")]
        found = [files[name] for name in names if name in files]
        if len(found) != 1:
            raise DataError(
                f"{'Two maps' if found else 'No map'} of image {record.image_id} in {folder}: looked for "
                f"{', '.join(names)}, expected one of them."
            )
        levels, white = read_levels(found[0])
        said.append(read_made_by(found[0]))
        size, expected = tuple(levels.shape), tuple(dataset.photo(index).shape[1:])
        if size != expected:
            raise DataError(
                f"The map {found[0]} is {size}, the photograph of image {record.image_id} {expected} (height, width): "
                "both must have one size."
            )
        if said[-1] is None:  # ours are of photographs as they are shown
            check_turns(record.photo, found[0], "probability map")
        measured = levels[dataset[index].target != IGNORE]
        ranges[found[0]] = (white, float(measured.min()), greatest(measured, white))
        maps.append(levels.div_(white)[None])
    alone = check_scale(ranges, USUAL_THRESHOLD if threshold is None else threshold)
    for (path, (white, low, high)), sample in zip(ranges.items(), dataset, strict=True):
        if path in alone and bool((sample.target == VESSEL).any()):
            name = many_of(dataset.classes[VESSEL])
            ends = f"holds {low:g} to {high:g} of {white}"
            print(f"Warning: {shown(path.name)} {ends}, and its label has {name}. Is its scale right?")
    leaks = Findings()
    for image, one in zip(images_of(dataset), said, strict=True):
        if one is not None:
            leaks.look(image, [one], partial(getattr, one, "near"))
    origin = origin_of_maps(folder, dataset.image_ids, said)
    return with_threshold(Maps(dataset, split, maps, origin, leaks, said), threshold)


def origin_of_maps(folder: Path, image_ids: Sequence[str], said: Sequence[MadeBy | None]) -> Origin:
    """Where the maps of a folder come from, by what they say themselves."""
    known = [one.origin for one in said if one is not None]
    unknown = list(dict.fromkeys(words for one in known for words in one.unknown))
    silent = [image_id for image_id, one in zip(image_ids, said, strict=True) if one is None]
    if silent:
        some = f"what the maps of {', '.join(silent)} were trained on is unknown"
        unknown.append(some if known else MAPS_UNKNOWN)
    alike = known and not silent and all(one == known[0] for one in known)
    origin = known[0] if alike else Origin(networks=[], tta="-", scale="-", tiles="-")
    by_names = any(one.leak_by_names for one in known)
    return replace(origin, predictions=folder.name, unknown_training=unknown, leak_by_names=by_names)


def greatest(measured: Tensor, white: int) -> float:
    """The greatest number of a map that tells its scale: white is left out where it says that there is no number.

    So programs mark what they have not measured, such as a field of view that is smaller than ours: white stands alone
    then, above numbers that end before a half. Where there is but one number between black and white it may be meant.

    Args:
        measured: the numbers, `(N,)`.
        white: that of the file; 1 for floats.
    """
    high, rest = float(measured.max()), measured[measured < white]
    if high < white or white == 1 or not len(rest):
        return high
    second = float(rest.max())
    several = bool(((rest > 0) & (rest < second)).any())
    alone = 0 < second <= (white + 1) / 2 and (several or second * FAINT <= white)
    return second if alone else high


def check_scale(ranges: Mapping[Path, tuple[int, float, float]], threshold: float) -> set[Path]:
    """Raises DataError where maps of one kind, taken together, hold numbers of another scale than that of their files.

    A single map may be faint, such as that of a photograph without vessels. Where nothing is parted in any of them, a
    warning is printed.

    Args:
        ranges: of each file the number that is probability 1, the least and the greatest number that is measured.
        threshold: at which the maps are measured.

    Returns:
        Maps that may have another scale by themselves, while all of their kind taken together have not.
    """
    alone: set[Path] = set()
    cuts = dict.fromkeys((threshold, 0.5))  # a half shows another scale whatever the threshold
    for white in dict.fromkeys(white for white, _, _ in ranges.values()):
        group = {path: ends for path, (one, *ends) in ranges.items() if one == white}
        low, high = min(ends[0] for ends in group.values()), max(ends[1] for ends in group.values())
        kind = "floats" if white == 1 else f"{white.bit_length()} bits"
        found = f"The maps of {kind} in {next(iter(group)).parent} hold {low:g} to {high:g}"
        faint = high * FAINT <= white and (white > 1 or high < threshold)  # floats cannot have another white
        if faint or high in OTHER_WHITES.get(white, ()):
            raise DataError(
                f"{found}: of another scale, as {white} is probability 1. Save probabilities from 0 to 1 as floats by "
                f"numpy.save, or as grey of 8 or 16 bits whose white is probability 1."
            )
        if nothing := [cut for cut in cuts if not _parts(cut * white, low, high)]:
            side = f"the threshold {threshold:g}" if nothing[0] == threshold else f"probability {nothing[0]:g}"
            print(f"Warning: {shown(found)}, all on one side of {side}. Is their scale right?")
            continue
        for path, ends in group.items():
            if ends[1] in OTHER_WHITES.get(white, ()) or not all(_parts(cut * white, *ends) for cut in cuts):
                alone.add(path)
    return alone


def _parts(cut: float, low: float, high: float) -> bool:
    return high >= cut and (low < cut or cut == 0)
