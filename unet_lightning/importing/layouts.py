"""Where people keep photographs and labels: in two folders, in one, in a folder an image, or in a table of paths."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unet_lightning.data.layout import IMAGE_SUFFIXES, image_files
from unet_lightning.data.pairs import EXAMPLE, FIELDS, LABELS, doubled, owners_of, paired, without_ending
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Options
from unet_lightning.importing.levels import ARRAYS
from unet_lightning.importing.paths import SPLITS, Files, files_in_table, is_table
from unet_lightning.text import as_id, some

SUFFIXES = (*IMAGE_SUFFIXES, *ARRAYS)
OF_PHOTOGRAPHS = re.compile(r"(?i)images?|imgs?|photos?|photographs?|pictures?|jpegimages|inputs?|raw|leftimg8bit")
OF_LABELS = re.compile(
    r"(?i)labels?|gts?|ground[_ ]?truths?|targets?|annot(ation)?s?|segmentationclass|gtfine|(1st_)?manual"
)
OF_MASKS = re.compile(r"(?i)masks?")
OF_FIELDS = re.compile(r"(?i)fovs?|rois?|fields?[_ ]of[_ ]views?")
FORMS = (
    "images/ with labels/ or masks/ (also below train/ and test/), photo_1.jpg beside photo_1_mask.png, a folder an "
    "image, or a CSV file of paths"
)


@dataclass(frozen=True)
class Part:
    """Folders of a split, or of everything; photographs and labels may lie in one."""

    photos: Path
    labels: Path
    fov: Path | None = None
    split: str | None = None


def files_of(path: Path, options: Options) -> list[Files]:
    """The files of all images of an input.

    Raises:
        DataError: a photograph or a label is alone, or may be another's; it is not told what a folder holds.
    """
    if path.is_file():
        if named := [name for name in ("images", "labels", "fov", "empty") if name in options]:
            raise ConfigError(f"--{named[0]} is for folders, and {path} is a table of paths: leave it out.")
        return files_in_table(path)
    for name in ("images", "labels", "fov"):
        if name in options and not any((one / options[name]).is_dir() for one in (path, *_folders(path))):
            raise ConfigError(f"No folder {options[name]} in {path} or in a folder of it, as --{name} says.")
    if parts := [*_parts(path, options)]:
        return [files for part in parts for files in _in_part(part, options.get("empty"))]
    if each := _folders_of_images(path, options):
        return each
    raise DataError(
        f"No photographs with labels in {path}: looked for {FORMS}. Folders are named by --images and --labels."
    )


def holds_labels(path: Path) -> bool:
    """Whether an input looks as if it held photographs and labels as image files."""
    if path.is_file():
        return is_table(path)
    try:
        parts = [*_parts(path, {})]
        labels = (files for part in parts if _photos_in(part) for _, files in _labels_in(part))
        return any(labels) or bool(_folders_of_images(path, {}))
    except DataError:  # which says more when it is read
        return True


def _parts(root: Path, options: Options) -> Iterator[Part]:
    splits = [(SPLITS[one.name.lower()], one) for one in _folders(root) if one.name.lower() in SPLITS]
    if whole := _part_in(root, None, options):
        inner = [one.name for one in _folders(whole.photos) if one.name.lower() in SPLITS]
        fields = {name: whole.fov / name if whole.fov else None for name in inner}
        parts = [Part(whole.photos / name, whole.labels / name, fields[name], SPLITS[name.lower()]) for name in inner]
        yield from parts or [whole]
    elif splits:
        for split, base in splits:
            labels = re.compile(rf"(?i){base.name}[_ -]?({LABELS}|annot)")
            beside = [Part(base, one, split=split) for one in _folders(root) if labels.fullmatch(one.name)]
            yield next(iter(beside), None) or _part_in(base, split, options) or Part(base, base, split=split)
    elif _mixed(root)[1]:
        yield Part(root, root)


def _part_in(base: Path, split: str | None, options: Options) -> Part | None:
    """The part in a folder that has folders of photographs and of labels."""
    photos, labels = _named(base, options, "images", OF_PHOTOGRAPHS), _named(base, options, "labels", OF_LABELS)
    fields, masks = _named(base, options, "fov", OF_FIELDS), _named(base, {}, "masks", OF_MASKS)
    masks = None if masks in (labels, fields) else masks
    if labels and masks and any(_files(labels)) and "labels" not in options and "fov" not in options:
        raise DataError(
            f"{base} holds {labels.name}/ and {masks.name}/, and nothing tells what the masks are. Where they are "
            f"fields of view give --fov {masks.name}; else name the folder of labels: --labels {labels.name} or "
            f"--labels {masks.name}."
        )
    if not labels or not ("labels" in options or any(labels.iterdir())):
        labels = masks
    return Part(photos, labels, fields, split) if photos and labels else None


def _named(base: Path, options: Options, option: str, usual: re.Pattern[str]) -> Path | None:
    """The folder that an option names, else the one of a usual name; DataError where there are several."""
    if option in options:
        return base / options[option] if (base / options[option]).is_dir() else None
    found = [one for one in _folders(base) if usual.fullmatch(one.name)]
    if len(found) > 1:
        raise DataError(f"{base} holds {' and '.join(one.name for one in found)}: name one by --{option}.")
    return found[0] if found else None


def _in_part(part: Part, empty: str | None) -> list[Files]:
    """The images of a part; what has no label is background, left out, or an error."""
    photos = _photos_in(part)
    if not photos:
        raise DataError(f"No photograph in {part.photos}: looked for {', '.join(SUFFIXES)}.")
    labels: dict[str, dict[Path, str]] = {}
    owners = owners_of(photos)
    alone: list[Path] = []
    for added, files in _labels_in(part):
        found, left = ({added: [*files.values()]}, []) if added in photos else paired(photos, files)
        alone += [path for path in left if not _add_longer(path, owners, labels)]
        for photo, paths in found.items():
            own = labels.setdefault(photo, {})
            own.update({path: path.stem if added == photo else added for path in paths})
    if alone:
        raise DataError(
            f"No photograph in {part.photos} for {some([str(path) for path in alone])}: give both the same name, "
            f"{EXAMPLE}."
        )
    if empty is None and (without := [name for name in photos if name not in labels]):
        raise DataError(
            f"No label in {part.labels} for the photograph {some(without)}: each needs one, {EXAMPLE}; or say what "
            "it means, --empty background (there is nothing of any class) or --empty leave-out."
        )
    fields, strange = paired(photos, _files(part.fov) if part.fov else _mixed(part.photos)[2], FIELDS)
    if strange or doubled(fields):
        raise DataError(
            f"Fields of view in {part.fov}: no photograph for {some([p.name for p in strange]) or doubled(fields)}."
        )
    return [
        Files(name, photo, labels.get(name, {}), fields.get(name, [None])[0], split=part.split)
        for name, photo in photos.items()
        if name in labels or empty == "background"
    ]


def _photos_in(part: Part) -> dict[str, Path]:
    return _mixed(part.photos)[0] if part.photos == part.labels else _files(part.photos)


def _labels_in(part: Part) -> Iterator[tuple[str, dict[str, Path]]]:
    """The files of labels; those in folders of a class, or of an image, with the name of their folder."""
    yield "", _mixed(part.labels)[1] if part.photos == part.labels else _files(part.labels)
    if part.photos != part.labels:
        yield from ((one.name, _files(one)) for one in _folders(part.labels))


def _add_longer(path: Path, owners: Mapping[str, Sequence[str]], labels: dict[str, dict[Path, str]]) -> bool:
    """Gives a label to the photograph with whose name its own begins, such as photo_1_disc; False where none is."""
    name = as_id(path.stem)
    fits = [short for short in owners if name.startswith(tuple(short + mark for mark in " _.-"))]
    short = max(fits, key=len, default="")
    if len(owners.get(short, ())) != 1:
        return False
    labels.setdefault(owners[short][0], {})[path] = without_ending(f"x{name[len(short) :]}", LABELS)[1:].strip(" _.-")
    return True


def _folders_of_images(root: Path, options: Options) -> list[Files]:
    """A folder an image, with its photograph and its labels in folders, as of nuclei; DataError where some are so."""
    found, unlike = [], []
    for folder in _folders(root):
        part = _part_in(folder, None, options) or Part(folder / "images", folder / "masks")
        photos, labels = _files(part.photos), _files(part.labels)
        if len(photos) != 1 or not (labels or "empty" in options):
            unlike.append(f"{folder} ({len(photos)} photographs, {len(labels)} labels)")
        elif labels or options["empty"] == "background":
            fov = next(iter(_files(part.fov).values()), None) if part.fov else None
            (photo,) = photos.values()
            found.append(Files(as_id(folder.name), photo, {path: name for name, path in labels.items()}, fov))
    if found and unlike:
        raise DataError(
            f"{root} has a folder an image, with one photograph and its labels; others are {some(unlike)}. Add what is "
            "missing, or take them out."
        )
    return found


def _mixed(folder: Path) -> tuple[dict[str, Path], dict[str, Path], dict[str, Path]]:
    """The photographs, labels and fields of view of a folder; a_L that has a label a_L_mask is a photograph."""
    files = _files(folder)
    fields = {name: path for name, path in files.items() if without_ending(name, "fov|roi") != name}
    short = {name: without_ending(name, LABELS) for name in files}
    labels = {name: path for name, path in files.items() if short[name] != name and name not in short.values()}
    return {name: path for name, path in files.items() if name not in labels | fields.keys()}, labels, fields


def _files(folder: Path) -> dict[str, Path]:
    return image_files(folder, SUFFIXES)


def _folders(folder: Path) -> list[Path]:
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted(one for one in inside if one.is_dir() and not one.name.startswith((".", "__MACOSX")))
