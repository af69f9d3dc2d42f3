"""Which labels belong to which files, where either lies in folders of any depth."""

from collections.abc import Callable, Sequence
from pathlib import Path

from unet_lightning.data.pairs import doubled, paired
from unet_lightning.errors import DataError
from unet_lightning.importing.values import some
from unet_lightning.text import as_id


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
