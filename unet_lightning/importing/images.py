"""Reads photographs and labels that are image files, stacks or arrays."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from unet_lightning.data.description import FILE, read_description
from unet_lightning.data.labels import BACKGROUND
from unet_lightning.data.opening import check_turns, header_of
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import Coding, coding_of, seen
from unet_lightning.importing.found import Found, Label, Labelled, Options, Photo, Reader
from unet_lightning.importing.grey import kept_range
from unet_lightning.importing.layouts import files_of, holds_labels
from unet_lightning.importing.levels import ARRAYS, STACKS, Source, pages_of, read_array, read_levels, refuse_stack
from unet_lightning.importing.paths import Files
from unet_lightning.importing.shapes import Region, Shape, Size, paint
from unet_lightning.text import some

TAKES = frozenset(
    {"images", "labels", "fov", "classes", "colours", "threshold", "invert", "several", "overlap", "stack", "empty"}
    | {"value_range"}
)
Merge = Callable[[Sequence[Label], Files], Label]  # makes one label of those of an image


def read(path: Path, options: Options) -> Found:
    """All images of an input; every label is looked at once to learn what is meant.

    Raises:
        UserError: files are alone, several or broken, or it is not sure what labels mean.
    """
    options = {**_described(path), **options}
    if "overlap" in options and options.get("several") != "classes":
        raise ConfigError(
            "--overlap is for labels of several classes in files of their own: give --several classes too."
        )
    given = images = files_of(path, options)
    _check_fields(given)
    if options.get("stack"):
        images = [page for files in images for page in _pages(files)]
    _check_several(images, options.get("several"))
    coding = coding_of([seen(read_levels(source)) for files in images for source, _ in files.drawn], options)
    said = [*coding.said, *_left_out(path, given)]
    if held_out := [files.image_id for files in images if files.split == "val"]:
        said.append(
            f"The {len(held_out)} images of the validation split join those to train on, and are held out there."
        )
    classes = coding.classes
    merge: Merge = _joined
    if options.get("several") == "classes":
        names = sorted({name for files in images for name in files.labels.values()})
        classes = options.get("classes") or ["background", *names]
        without = {name: sum(name not in files.labels.values() for files in images) for name in names}
        said += [f"Images without a file of {name}, which have nothing of it: {n}." for name, n in without.items() if n]
        if unknown := [name for name in names if name not in classes[1:]]:
            raise DataError(f"Files of the class {', '.join(unknown)}, and --classes names {', '.join(classes)}.")
        merge = partial(_painted, classes, options.get("overlap") == "later")
    sure = len(classes) > 2 or "invert" in options or "colours" in options
    labelled = [_labelled(files, partial(_label, files, coding, merge)) for files in images]
    return Found(labelled, classes, said, not sure, kept_range(options))


def _left_out(path: Path, given: Sequence[Files]) -> list[str]:
    """A line about the files of a folder that are none of an image: of other kinds, or in other folders."""
    used = {one for files in given for one in (files.photo, *files.labels, files.fov)}
    by_suffix: dict[str, list[str]] = {}
    for one in sorted(path.rglob("*")) if path.is_dir() else ():
        inner = one.relative_to(path)
        if one not in used and not any(part.startswith((".", "__MACOSX")) for part in inner.parts) and one.is_file():
            by_suffix.setdefault(one.suffix.lower() or "without an ending", []).append(inner.as_posix())
    kinds = [f"{len(names)} {suffix} ({some(names, 2)})" for suffix, names in by_suffix.items()]
    return [f"Files that were left out: {', '.join(kinds)}."] if kinds else []


def _check_fields(images: Sequence[Files]) -> None:
    """Raises DataError where some images have a field of view and others none."""
    if len({one.fov is None for one in images}) > 1:
        without = [one.image_id for one in images if one.fov is None]
        raise DataError(
            f"No field of view for the images {some(without)}, as others have: give all of them one, or none."
        )


def _described(path: Path) -> Options:
    """What a folder in the layout of `data=folder` says of itself; there masks/ beside labels/ are fields of view."""
    said = read_description(path)
    ready = (path / FILE).is_file() and any(path.glob("**/labels")) and any(path.glob("**/masks"))
    fov = "masks" if ready else None
    known = {"classes": said.classes, "ignore": said.ignore, "value_range": said.value_range, "fov": fov}
    return {name: value for name, value in known.items() if value is not None}


def _pages(files: Files) -> list[Files]:
    """Of a stack its pages, each an image of one group; another image as it is."""
    if files.photo.suffix.lower() not in STACKS:
        return [files]
    count = pages_of(files.photo)
    if other := [path for path in files.labels if pages_of(path) != count]:
        raise DataError(
            f"{files.photo} has {count} pages and {other[0]} {pages_of(other[0])}: both must have a page an image."
        )
    digits, group = len(str(count)), files.group or files.image_id
    return [
        replace(files, image_id=f"{files.image_id}_{page + 1:0{digits}d}", group=group, page=page)
        for page in range(count)
    ]


def _check_several(images: Sequence[Files], several: str | None) -> None:
    """Raises DataError where images have several labels and nothing says why, or the name of one tells no class."""
    if several == "classes" and (nameless := [one for files in images for one, name in files.drawn if not name]):
        raise DataError(f"The name of {nameless[0]} tells no class: call it so, such as photo_1_disc for photo_1.")
    if several is None and (more := [files for files in images if len(files.labels) > 1]):
        first = more[0]
        named = ", ".join(path.name for path in [*first.labels][:4]) + ", ..." * (len(first.labels) > 4)
        classes = ", ".join(name for name in [*first.labels.values()][:4] if name)
        raise DataError(
            f"Image {first.image_id} has {len(first.labels)} labels ({named}) in {next(iter(first.labels)).parent}, as "
            f"have {len(more)} images. Where each is one thing of a kind give --several instances"
            f"{f', where each is a class ({classes}) --several classes' * bool(classes)}; else keep one."
        )


def _labelled(files: Files, label: Callable[[], Label]) -> Labelled:
    source = str(files.drawn[0][0] if files.labels else files.photo)
    photo: Photo = files.photo
    if files.page is not None or files.photo.suffix.lower() in ARRAYS:
        photo = partial(read_array, Source(files.photo, files.page))
    else:
        refuse_stack(files.photo)
    return Labelled(files.image_id, photo, label, source, files.group, files.split, files.fov)


def _label(files: Files, coding: Coding, merge: Merge) -> Label:
    """The label of an image, of one or several files of one size; without any all is background."""
    if not files.labels:
        return np.full(_size_of(files.photo), BACKGROUND, np.uint8)
    labels = []
    for source, _ in files.drawn:
        if files.page is None and {files.photo.suffix.lower(), source.path.suffix.lower()}.isdisjoint(ARRAYS):
            check_turns(files.photo, source.path, f"label of image {files.image_id}")
        label = coding.decode(read_levels(source))
        labels.append(label)
        if label.shape != labels[0].shape:
            raise DataError(
                f"{files.drawn[0][0]} is {labels[0].shape[0]} x {labels[0].shape[1]} and {source} {label.shape[0]} x "
                f"{label.shape[1]} (height x width): labels of one image must be of one size."
            )
    return merge(labels, files)


def _size_of(photo: Path) -> tuple[int, ...]:
    """Height and width of a photograph as it is shown."""
    if photo.suffix.lower() in ARRAYS:
        return read_array(Source(photo)).shape[:2]
    return header_of(photo, "photograph").size


def _joined(labels: Sequence[Label], files: Files) -> Label:
    """One label, or what is foreground in any of several."""
    return labels[0] if len(labels) == 1 else np.logical_or.reduce(labels).astype(np.uint8)


def _painted(classes: Sequence[str], later: bool, labels: Sequence[Label], files: Files) -> Label:
    """Several labels, each of a class; where they share pixels the `later` class counts, or it is an error."""
    shapes = [
        Shape(name, partial(_region, label), str(source))
        for label, (source, name) in zip(labels, files.drawn, strict=True)
    ]
    height, width = labels[0].shape
    try:
        return paint(shapes, classes, (height, width), later)
    except DataError as error:
        raise DataError(f"Labels of image {files.image_id}: {error}.") from error


def _region(label: Label, size: Size) -> Region:
    return Region(0, 0, label != BACKGROUND)


READER = Reader("images", holds_labels, read, TAKES)
