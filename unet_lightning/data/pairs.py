"""Which files belong to which photographs, by their names: labels often have an ending of their own."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

LABELS = (
    "(?:binary[ _.-]?)?masks?|labels?|seg|segmentation|segmented|gt|ground[ _.-]?truth|annotations?|anno|target"
    "|(?:1st|2nd)?[ _.-]?manual[0-9]?|(?:1st|2nd)HO|(?:gtFine_)?labelIds|vessels?|ah|L"
)
PHOTOGRAPHS = "images?|img|photo|picture|raw|volume|input|orig|original|sat|rgb|leftImg8bit|training|test"
FIELDS = "fov|roi|(?:fov|roi)?[ _.-]?masks?"  # of masks of the field of view
EXAMPLE = "such as photo_1.png or photo_1_mask.png for photo_1.jpg"


def without_ending(stem: str, endings: str) -> str:
    """A name without one of the usual endings, if it has one: photo_1 of photo_1_mask, photo_1-gt or photo_1.label."""
    return re.sub(rf"(?i)(?<=.)[ _.-]+(?:{endings})$", "", stem)


def owners_of(photos: Collection[str]) -> dict[str, list[str]]:
    """The photographs that a name may stand for: the one that is called so, else those that are but for an ending."""
    owners = {photo: [photo] for photo in photos}
    for photo in [*owners]:
        if (short := without_ending(photo, PHOTOGRAPHS)) not in photos:
            owners.setdefault(short, []).append(photo)
    return owners


def paired(
    photos: Collection[str], others: Mapping[str, Path], endings: str = LABELS
) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of each photograph that has any, and the files of none.

    A file has the name of its photograph, without regard to endings where no photograph is called exactly so: both
    21_training and 21_training_image have 21_manual1, but not in one folder.

    Args:
        photos: names without suffix.
        others: files by their names without suffix.
        endings: a pattern of what may be added to the name of a photograph.
    """
    known = owners_of(photos)
    found: dict[str, list[Path]] = {}
    alone = []
    for name, path in others.items():
        owners = known.get(name) or known.get(without_ending(name, endings)) or []
        if len(owners) == 1:
            found.setdefault(owners[0], []).append(path)
        else:
            alone.append(path)
    return found, alone


def doubled(files: Mapping[str, Sequence[Path]]) -> str:
    """What of a pairing is there twice, in words for a message; empty where nothing is."""
    twice = [f"{photo} ({' and '.join(path.name for path in paths)})" for photo, paths in files.items() if paths[1:]]
    return ", ".join(twice[:5]) + (f" and {len(twice) - 5} more" if twice[5:] else "")
