"""One label for each file of a scanner: which it is, in folders of any depth, and what it means."""

from collections.abc import Callable, Sequence
from pathlib import Path

from unet_lightning.data.pairs import doubled, paired
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import Coding, Seen, coding_of
from unet_lightning.importing.found import Options
from unet_lightning.text import as_id, some


def pairs_of(
    photos: Sequence[Path], labels: Sequence[Path], stem: Callable[[Path], str], expected: str
) -> dict[str, tuple[Path, Path]]:
    """The file and the label of each image, by its name; with that of its folder where names are there twice.

    Raises:
        DataError: a file is alone, or may be another's; `expected` says what is.
    """
    several = len({*map(stem, photos)}) < len(photos)  # a folder a patient, with the same names in each

    def by_name(files: Sequence[Path]) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for file in files:
            name = as_id(f"{file.parent.name}_{stem(file)}" if several else stem(file))
            if (other := found.setdefault(name, file)) != file:
                raise DataError(f"{other} and {file} are both called {name}: give each a name of its own.")
        return found

    named = by_name(photos)
    found, alone = paired(named, by_name(labels))
    wrong = [*map(str, alone), *(str(file) for name, file in named.items() if name not in found)]
    if wrong or doubled(found) or not found:
        raise DataError(f"Images and labels do not make pairs: {doubled(found) or some(wrong) or 'none'}. {expected}")
    return {name: (named[name], paths[0]) for name, paths in found.items()}


def coding_of_one(labels: Sequence[Seen], options: Options) -> Coding:
    """What labels mean, of which each image has one; see `coding_of`."""
    if options.get("several") == "classes":
        raise ConfigError("--several classes is for labels in several image files: here each image has one.")
    return coding_of(labels, options)
