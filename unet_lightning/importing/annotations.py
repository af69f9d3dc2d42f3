"""What annotation tools say of photographs, whatever their format: shapes of classes, painted into labels."""

import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unet_lightning.data.layout import IMAGE_SUFFIXES
from unet_lightning.data.opening import header_of
from unet_lightning.errors import DataError
from unet_lightning.importing.found import Found, Label, Labelled, Options, Photo, Pixels
from unet_lightning.importing.grey import kept_range
from unet_lightning.importing.paths import SPLITS
from unet_lightning.importing.shapes import BACKGROUNDS, IGNORED, Shape, Size, paint
from unet_lightning.importing.values import annotation_files, json_of
from unet_lightning.text import as_id, some

OPTIONS = frozenset({"classes", "overlap", "empty", "line_width", "value_range"})


@dataclass(frozen=True)
class Sheet:
    """What was drawn on one photograph."""

    source: Path  # the file that says so
    photo: str  # as that file names it
    shapes: Sequence[Shape]
    size: Size | None = None  # as that file says
    embedded: Callable[[], Pixels] | None = None  # the photograph within that file


def gather(
    sheets: Sequence[Sheet], path: Path, asked: Options, known: Sequence[str] = (), said: Sequence[str] = ()
) -> Found:
    """The photographs of sheets, with labels.

    Args:
        sheets: of all photographs.
        path: the folder of which photographs are taken, or a file in it; none comes from outside.
        asked: `classes` (background first; else all that the files know), `overlap` (`later`: of two classes at a
            pixel the later one counts) and `empty` (`background` or `leave-out`: photographs on which nothing is).
        known: classes that the files name, in their order; else all that were drawn, sorted.
        said: lines about what was decided.

    Raises:
        DataError: a photograph is missing or given twice, a class is unknown, or nothing is drawn on a photograph and
            it was not said what this means. What is wrong with a shape is raised where its label is made.
    """
    root = path if path.is_dir() else path.parent
    classes = _classes(sheets, known, asked)
    empty = [sheet for sheet in sheets if not sheet.shapes]
    if empty and "empty" not in asked:
        raise DataError(
            f"Nothing is drawn on {some([sheet.photo for sheet in empty])} ({empty[0].source}). Say what this means: "
            "--empty background (there is nothing of any class) or --empty leave-out."
        )
    if empty and asked["empty"] == "leave-out":
        sheets = [sheet for sheet in sheets if sheet.shapes]
    photographs = Photographs(root)
    _check_others(path, {sheet.source for sheet in sheets})
    found = [(sheet, photographs.find(sheet.photo, sheet.source) or sheet.embedded) for sheet in sheets]
    pairs = [(sheet, photo) for sheet, photo in found if photo is not None]
    if missing := [sheet for sheet, photo in found if photo is None]:
        raise DataError(
            f"No photograph {some([sheet.photo for sheet in missing])}, which {missing[0].source} names: looked in "
            f"{root} and below, by as much of the path as is there{photographs.called_alike(missing[0].photo)}. Put it "
            "there, or take it out of the annotations."
        )
    owners: dict[Path | str, Sheet] = {}
    for sheet, photo in pairs:
        named = photo if isinstance(photo, Path) else sheet.photo
        if (other := owners.setdefault(named, sheet)) is not sheet:
            raise DataError(
                f"The photograph {named} is annotated twice: in {other.source} and {sheet.source}. Keep one."
            )
    later = asked.get("overlap") == "later"
    images = [
        Labelled(
            as_id(Path(_parts(sheet.photo)[-1]).stem),
            photo,
            partial(_label, sheet, photo, classes, later),
            str(sheet.source),
            split=_split_of((photo if isinstance(photo, Path) else sheet.source).relative_to(root)),
        )
        for sheet, photo in pairs
    ]
    said = [*said, f"Photographs on which nothing is drawn: {len(empty)} ({asked['empty']})."] if empty else said
    if unused := photographs.unused({photo for _, photo in pairs}):
        said = [*said, f"Photographs that no annotation names, left out: {len(unused)} ({some(unused)})."]
    return Found(images, classes, said, value_range=kept_range(asked))


def _check_others(path: Path, known: Collection[Path]) -> None:
    """Raises DataError where another JSON file is broken: annotations are known by what is in them."""
    for file in annotation_files(path, ".json") if path.is_dir() else ():
        if file not in known:
            json_of(file)


def _split_of(path: Path) -> str | None:
    """The split that a path tells by its folders, where they are called train, val or test."""
    said = {SPLITS[part.lower()] for part in path.parts[:-1] if part.lower() in SPLITS}
    return said.pop() if len(said) == 1 else None


def _classes(sheets: Sequence[Sheet], known: Sequence[str], asked: Options) -> list[str]:
    drawn = {shape.name: (sheet, shape) for sheet in sheets for shape in sheet.shapes}
    plain = [name for name in known or sorted(drawn) if name not in (*BACKGROUNDS, IGNORED)]
    classes = list(asked.get("classes", ())) or [BACKGROUNDS[0], *plain]
    if unknown := [name for name in drawn if name not in (*classes, *BACKGROUNDS, IGNORED)]:
        sheet, shape = drawn[unknown[0]]
        raise DataError(
            f"{sheet.source} has the class {some(unknown)} ({shape.what} on {sheet.photo}), which is none of "
            f"{', '.join(classes)}. Name all classes in --classes, background first."
        )
    if len(classes) < 2:
        raise DataError(f"No class in {sheets[0].source if sheets else 'the annotations'}: nothing is drawn.")
    return classes


def _label(sheet: Sheet, photo: Photo, classes: Sequence[str], later_counts: bool) -> Label:
    size = sheet.size
    if isinstance(photo, Path):
        header = header_of(photo, "photograph")
        size = header.height, header.width
        if header.turn != 1:
            raise DataError(
                f"The photograph {photo} has orientation tag {header.turn} (1: upright), and {sheet.source} does not "
                "tell whether the tag was applied when it was drawn on. If so, as viewers do, store the photograph "
                "upright (`magick IN -auto-orient OUT`); else remove the tag (`exiftool -Orientation= FILE`)."
            )
        if sheet.size is not None and sheet.size != size:
            raise DataError(
                f"{sheet.source} was drawn on a photograph of {sheet.size[0]} x {sheet.size[1]}, and {photo} has "
                f"{size[0]} x {size[1]} (height x width). Both must be of the same photograph, neither cut nor scaled."
            )
    assert size is not None
    try:
        return paint(sheet.shapes, classes, size, later_counts)
    except DataError as error:
        raise DataError(f"{sheet.source} on {sheet.photo}: {error}.") from error


class Photographs:
    """The image files of a folder and below. Names in other files are looked for among these and never opened."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
        self.files = {_parts(str(path.relative_to(root))): path for path in files if not path.name.startswith(".")}
        self._named: dict[str, list[tuple[str, ...]]] = {}
        for parts in self.files:
            self._named.setdefault(parts[-1], []).append(parts)

    def find(self, name: str, source: Path) -> Path | None:
        """The photograph that a file names, if there is one; either may leave out folders above it.

        Raises:
            DataError: it may be one of several.
        """
        wanted, beside = _parts(name), _parts(f"{source.parent.relative_to(self.root)}/{name}")
        if not wanted:
            raise DataError(f"{source} names a photograph {name!r}, which is no name of a file.")
        for parts in (beside, wanted):
            if parts in self.files:
                return self.files[parts]
        found = [one for one in self._named.get(wanted[-1], ()) if one[-len(wanted) :] == wanted[-len(one) :]]
        if len(found) > 1:
            raise DataError(f"{source} names {name}, which may be {some(['/'.join(one) for one in found])}. Keep one.")
        return self.files[found[0]] if found else None

    def called_alike(self, name: str) -> str:
        """Files of that name in other folders, in words; empty where there are none."""
        others = self._named.get(_parts(name)[-1], ())
        return f", and {some(['/'.join(one) for one in others])} is in another folder" if others else ""

    def unused(self, used: Collection[Photo]) -> list[str]:
        """Those that are not among `used`."""
        return ["/".join(parts) for parts, path in self.files.items() if path not in used]


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path of any system, `..` taken back; what leads above its beginning is left out."""
    parts: list[str] = []
    for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)
