"""Reads photographs and labels that are image files, stacks or arrays."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unet_lightning.data.description import FILE, read_description
from unet_lightning.data.labels import BACKGROUND
from unet_lightning.data.opening import TURNED_ASIDE, check_turns, stored_form
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import Coding, coding_of, seen
from unet_lightning.importing.found import Found, Label, Labelled, Options, Pixels, Reader
from unet_lightning.importing.layouts import Files, files_of, holds_labels
from unet_lightning.importing.levels import ARRAYS, STACKS, Source, pages_of, read_array, read_levels, refuse_stack

TAKES = frozenset(
    {"images", "labels", "fov", "classes", "colours", "threshold", "invert", "several", "overlap", "stack", "empty"}
)
Drawn = Sequence[tuple[Source, str]]  # labels of an image, with what tells them apart


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
    images = [page for files in files_of(path, options) for page in _pages(files, bool(options.get("stack")))]
    _check_several(images, options.get("several"))
    coding = coding_of([seen(read_levels(one)) for _, drawn in images for one, _ in drawn], options)
    said = [*coding.said]
    if held_out := [files.image_id for files, _ in images if files.split == "val"]:
        said.append(
            f"The {len(held_out)} images of the validation split join those to train on, and are held out there."
        )
    classes = coding.classes
    merge: Callable[[Drawn], Label] = partial(_merged, coding)
    if options.get("several") == "classes":
        names = sorted({name for _, drawn in images for _, name in drawn})
        classes = options.get("classes") or ["background", *names]
        if unknown := [name for name in names if name not in classes[1:]]:
            raise DataError(f"Files of the class {', '.join(unknown)}, and --classes names {', '.join(classes)}.")
        merge = partial(_painted, coding, classes, options.get("overlap") == "later")
    sure = len(classes) > 2 or "invert" in options or "colours" in options
    return Found([_labelled(files, drawn, merge) for files, drawn in images], classes, said, not sure)


def _described(path: Path) -> Options:
    """What a folder in the layout of `data=folder` says of itself; there masks/ beside labels/ are fields of view."""
    said = read_description(path)
    ready = (path / FILE).is_file() and any([*path.glob("labels"), *path.glob("*/labels")])
    known = {"classes": said.classes, "ignore": said.ignore, "fov": "masks" if ready else None}
    return {name: value for name, value in known.items() if value is not None}


def _pages(files: Files, stack: bool) -> list[tuple[Files, Drawn]]:
    """An image; of a stack its pages, each an image of one group."""
    if not stack or files.photo.suffix.lower() not in STACKS:
        return [(files, [(Source(path), name) for path, name in files.labels.items()])]
    pages = pages_of(files.photo)
    labels = [(pages_of(path), name) for path, name in files.labels.items()]
    if other := [found for found, _ in labels if len(found) != len(pages)]:
        raise DataError(
            f"{files.photo} has {len(pages)} pages and {other[0][0].path} {len(other[0])}: both must have a page an "
            "image."
        )
    digits, group = len(str(len(pages))), files.group or files.image_id
    return [
        (
            Files(f"{files.image_id}_{page.page + 1:0{digits}d}", files.photo, {}, files.fov, group, files.split),
            [(found[number], name) for found, name in labels],
        )
        for number, page in enumerate(pages)
        if page.page is not None
    ]


def _check_several(images: Sequence[tuple[Files, Drawn]], several: str | None) -> None:
    """Raises DataError where images have several labels and nothing says why, or the name of one tells no class."""
    if several == "classes" and (nameless := [source for _, drawn in images for source, name in drawn if not name]):
        raise DataError(f"The name of {nameless[0]} tells no class: call it so, such as photo_1_disc for photo_1.")
    if several is None and (more := [(files, drawn) for files, drawn in images if len(drawn) > 1]):
        files, drawn = more[0]
        named = ", ".join(source.path.name for source, _ in drawn[:4]) + ", ..." * (len(drawn) > 4)
        classes = ", ".join(name for _, name in drawn[:4] if name)
        raise DataError(
            f"Image {files.image_id} has {len(drawn)} labels ({named}) in {drawn[0][0].path.parent}, as have "
            f"{len(more)} images. Where each is one thing of a kind give --several instances"
            f"{f', where each is a class ({classes}) --several classes' * bool(classes)}; else keep one."
        )


def _labelled(files: Files, drawn: Drawn, merge: Callable[[Drawn], Label]) -> Labelled:
    source = drawn[0][0] if drawn else Source(files.photo)
    photo: Path | Callable[[], Pixels] = files.photo
    if source.page is not None:
        photo = partial(read_array, Source(files.photo, source.page))
    elif files.photo.suffix.lower() in ARRAYS:
        photo = partial(read_array, Source(files.photo))
    else:
        refuse_stack(files.photo)
    return Labelled(
        files.image_id, photo, partial(_label, files, drawn, merge), str(source), files.group, files.split, files.fov
    )


def _label(files: Files, drawn: Drawn, merge: Callable[[Drawn], Label]) -> Label:
    for source, _ in drawn:
        if source.page is None and {files.photo.suffix.lower(), source.path.suffix.lower()}.isdisjoint(ARRAYS):
            check_turns(files.photo, source.path, f"label of image {files.image_id}")
    return merge(drawn) if drawn else np.zeros(_size_of(files.photo), np.uint8)


def _size_of(photo: Path) -> tuple[int, ...]:
    """Height and width of a photograph as it is shown."""
    if photo.suffix.lower() in ARRAYS:
        return read_array(Source(photo)).shape[:2]
    size, turn = stored_form(photo, "photograph")
    return size[::-1] if turn in TURNED_ASIDE else size


def _merged(coding: Coding, drawn: Drawn) -> Label:
    """One label, or what is foreground in any of several."""
    labels = [coding.decode(read_levels(source)) for source, _ in drawn]
    _check_sizes(labels, drawn)
    return labels[0] if len(labels) == 1 else np.logical_or.reduce(labels).astype(np.uint8)


def _painted(coding: Coding, classes: Sequence[str], later: bool, drawn: Drawn) -> Label:
    """Several labels, each of a class; where they share pixels the `later` class counts, or it is an error."""
    labels = [coding.decode(read_levels(source)) for source, _ in drawn]
    _check_sizes(labels, drawn)
    found = np.full(labels[0].shape, BACKGROUND, np.uint8)
    for number, label, (source, name) in sorted(
        ((classes.index(name), label, (source, name)) for label, (source, name) in zip(labels, drawn, strict=True)),
        key=lambda one: one[0],
    ):
        shared = int(((found != BACKGROUND) & (found != number) & (label != 0)).sum())
        if shared and not later:
            raise DataError(
                f"{source} ({name}) shares {shared} pixels with another class, and a pixel has one: give --overlap "
                f"later, where the later of --classes counts ({', '.join(classes)})."
            )
        found[label != 0] = number
    return found


def _check_sizes(labels: Sequence[Label], drawn: Drawn) -> None:
    for label, (source, _) in zip(labels, drawn, strict=True):
        if label.shape != labels[0].shape:
            raise DataError(
                f"{drawn[0][0]} is {labels[0].shape[0]} x {labels[0].shape[1]} and {source} {label.shape[0]} x "
                f"{label.shape[1]} (height x width): labels of one image must be of one size."
            )


READER = Reader("images", holds_labels, read, TAKES)
