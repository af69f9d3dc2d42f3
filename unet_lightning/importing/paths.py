"""A table of paths: which photograph has which label, in a CSV file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unet_lightning.data.groups import GROUPS
from unet_lightning.data.table import column, columns_of, read_rows
from unet_lightning.errors import DataError
from unet_lightning.importing.levels import Source
from unet_lightning.text import as_id

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
SPLITS |= {"test": "test", "testing": "test"}
PHOTO_COLUMNS, LABEL_COLUMNS = ("image", "photo", "image_path", "path"), ("label", "mask", "label_path", "mask_path")


@dataclass(frozen=True)
class Files:
    """The files of one image."""

    image_id: str
    photo: Path
    labels: dict[Path, str] = field(default_factory=dict)  # with what its name or folder adds to the photograph's
    fov: Path | None = None
    group: str | None = None
    split: str | None = None  # train, val or test
    page: int | None = None  # of a stack, from 0, of the photograph and of its labels

    @property
    def drawn(self) -> list[tuple[Source, str]]:
        """The pictures of labels, with what tells them apart."""
        return [(Source(path, self.page), name) for path, name in self.labels.items()]


def is_table(path: Path) -> bool:
    """Whether a file has the columns of photographs and labels."""
    return path.suffix.lower() == ".csv" and all(_columns(columns_of(path)))


def files_in_table(path: Path) -> list[Files]:
    """The files that a table names, from its own folder; an image with several labels has several lines.

    Raises:
        DataError: the table is broken or empty, a file is not there, or a label is that of two images.
    """
    columns, rows = read_rows(path, "table of images")
    (photo, label), group = _columns(columns), column(columns, GROUPS)
    if photo is None or label is None or not rows:
        raise DataError(
            f"{path} has the columns {', '.join(columns)} and {len(rows)} lines: expected a line an image, with one of "
            f"{', '.join(PHOTO_COLUMNS)} and one of {', '.join(LABEL_COLUMNS)}; image_id, class, fov, split and one of "
            f"{', '.join(GROUPS)} may be there too."
        )
    found: dict[str, Files] = {}
    owners: dict[Path, str] = {}
    for number, row in enumerate(rows, start=2):
        where = f"Line {number} of {path}"
        if not row[photo] or not row[label]:
            raise DataError(f"{where} lacks the path of a photograph or of a label.")
        for name in (photo, label, "fov"):
            if row.get(name) and not (path.parent / row[name]).is_file():
                raise DataError(f"{where} names as {name} {row[name]}: looked for {path.parent / row[name]}.")
        image_id = as_id(row.get("image_id") or Path(row[photo]).stem)
        split = SPLITS.get(row.get("split", "").lower()) if row.get("split") else None
        if row.get("split") and split is None:
            raise DataError(f"{where} has the split {row['split']}: expected train, val or test.")
        fov, drawn = (path.parent / row[name] if row.get(name) else None for name in ("fov", label))
        new = Files(image_id, path.parent / row[photo], {}, fov, row[group] or None if group else None, split)
        one = found.setdefault(image_id, new)
        if (one.photo, one.group, one.split) != (new.photo, new.group, new.split):
            raise DataError(f"{where} gives image {image_id} another photograph, group or split than before.")
        assert drawn is not None
        if drawn in one.labels:
            raise DataError(f"{where} gives the label {row[label]} once more.")
        if drawn == new.photo or owners.setdefault(drawn, image_id) != image_id:
            other = "its own photograph" if drawn == new.photo else f"that of image {owners[drawn]} too"
            raise DataError(f"{where} gives image {image_id} the label {row[label]}, which is {other}.")
        one.labels[drawn] = row.get("class", "") or Path(row[label]).stem
    return [*found.values()]


def _columns(columns: Sequence[str]) -> tuple[str | None, str | None]:
    """Those of photographs and of labels."""
    return column(columns, PHOTO_COLUMNS), column(columns, LABEL_COLUMNS)
