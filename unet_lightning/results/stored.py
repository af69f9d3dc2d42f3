"""An evaluation on disk, written here and read here: figures of each image, and how they were measured."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from unet_lightning.data.terms import TERMS
from unet_lightning.errors import RunError
from unet_lightning.files import leads_out, write_rows, write_text
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.protocol import Protocol
from unet_lightning.text import from_cell

METRICS, PER_IMAGE, TABLE, PROBABILITIES = "metrics.json", "per_image.csv", "table.md", "probabilities"
CONFUSION, TRUE_BY_CALLED = "confusion_matrix.csv", "true \\ called"  # a file, and the corner of the table in it
OLD = ".old"  # ends the name of an evaluation that gives its place away: after a crash it is still there
SAME_MEAN = 1e-6  # a mean of the figures as they are written is the mean that is written, but for rounding
# Who drew what is measured; with more than two classes the mean over them, and `model: <class>` each.
MODEL, SECOND, AGAINST_SECOND = "model", TERMS["vessels"].second, TERMS["vessels"].against_second
SECONDS = {terms.second for terms in TERMS.values()}  # whoever they are called by the task of a data set
PEOPLE = SECONDS | {terms.against_second for terms in TERMS.values()}
ALL = "all "  # begins the names of maps that are all one class


@dataclass(frozen=True, eq=False)
class StoredEvaluation:
    """What was measured on the images of a split, and the folder where it was read."""

    folder: Path
    protocol: Protocol
    per_image: Mapping[str, pd.DataFrame]  # by observer: a row an image, a column a figure; NaN where there is none
    pooled: Mapping[str, Mapping[str, float]]  # over the pixels of all images, by observer
    written_as: Mapping[str, str] = field(default_factory=dict)  # ids in the folder, where images are called otherwise

    def values(self, observer: str, figure: str) -> dict[str, float]:
        """One figure of an observer by image; NaN where an image has none, empty where nobody is called so."""
        table = self.per_image.get(observer, pd.DataFrame())
        return dict(table[figure]) if figure in table else dict.fromkeys(table.index, math.nan)

    @property
    def images(self) -> set[str]:
        """Ids of the images that the network was measured on."""
        tables = [table for observer, table in self.per_image.items() if observer.startswith(MODEL)]
        return {image for table in tables for image in table.index}

    @property
    def content(self) -> dict[str, Mapping[str, str]]:
        """What each image is: see `contents_of`; empty where an earlier version wrote it."""
        found = self.protocol.content
        known = all("photograph" in found.get(one, {}) for one in self.images)
        return {one: found[one] for one in self.images} if known else {}

    def map_of(self, image: str, class_name: str = "") -> Path:
        """The probability map of an image; of more than two classes that of one."""
        own, ending = self.written_as.get(image, image), f"_{class_name}" if class_name else ""
        return self.folder / PROBABILITIES / f"{own}{ending}.png"

    @property
    def classes(self) -> list[str]:
        """Names, background first, where there are more than two; of earlier versions without the background."""
        each = [observer.removeprefix(of_class("")) for observer in self.per_image if observer.startswith(of_class(""))]
        return each if self.protocol.classes is None else self.protocol.classes


def of_class(name: str) -> str:
    """How the figures of one class are called, where there are more than two."""
    return f"{MODEL}: {name}"


def ending_of(observer: str) -> str:
    """What ends the names of a model's files: nothing, or `_<class>` for `model: <class>`."""
    return observer.removeprefix(MODEL).replace(": ", "_", 1)


def beside(folder: Path, ending: str) -> Path:
    """What an evaluation has beside it for a moment: `old`, `new` and `lock` (see `places`)."""
    return folder.with_name(f".{folder.name}.{ending}")


def stored_evaluations(run: Path) -> dict[str, Path]:
    """The finished evaluations in a run folder, by their names, such as `drive-test` or `drive-test_tta-d4`."""
    folders = [path.parent for path in sorted(run.glob(f"evaluation/*/{METRICS}")) if path.is_file()]
    found = {folder.name: folder for folder in folders if not folder.name.startswith(".")}
    left = {one.name[1:].removesuffix(OLD): one for one in folders if one.name.startswith(".") and one.suffix == OLD}
    return dict(sorted((left | found).items()))


def write_stored(
    folder: Path,
    protocol: Protocol,
    summaries: Mapping[str, Summary],
    image_ids: Sequence[str],
    calibration: Mapping[str, Sequence[Mapping[str, float | None]]],
    confusion: Sequence[Sequence[int]] | None = None,
) -> None:
    """Writes `per_image.csv`, then `metrics.json`, which makes the evaluation a finished one.

    Figures, a row for each of `image_ids`, and the bins of the reliability diagram (`calibration`) are by observer.
    With more than two classes the `confusion` matrix has a row a true class, in the order of the protocol's `classes`.
    """
    figures = {}
    for observer, summary in summaries.items():
        figures[observer] = {"mean": summary.mean, "sd": summary.sd, "pooled": summary.pooled}
        for prefix, intervals in (("", summary.interval), ("pooled_", summary.pooled_interval)):
            for side, end in enumerate(("low", "high")):
                figures[observer][prefix + end] = {name: ends[side] for name, ends in intervals.items()}
    write_rows(image_rows(summaries, image_ids, protocol), folder / PER_IMAGE)
    known: dict[str, Any] = {"protocol": protocol.written, "figures": figures, "calibration": calibration}
    if confusion is not None and protocol.classes is not None:
        named = list(zip(protocol.classes, confusion, strict=True))
        # No class has a backslash in its name.
        table = [{TRUE_BY_CALLED: name} | dict(zip(protocol.classes, row, strict=True)) for name, row in named]
        write_rows(table, folder / CONFUSION)
        known["confusion"] = confusion
    content = json.dumps(known)
    # Null for NaN, which JSON has not, such as the SD of one image.
    write_text(folder / METRICS, json.dumps(json.loads(content, parse_constant=lambda _: None), indent=2))


def image_rows(
    summaries: Mapping[str, Summary], image_ids: Sequence[str], protocol: Protocol, key: str = "image_id"
) -> list[dict[str, Any]]:
    """A row an observer and image, with its group where images have one; `key` names the column of the ids."""
    said: dict[str, dict[str, Any]] = {image_id: {"leak": image_id in protocol.leak} for image_id in image_ids}
    if protocol.patients:
        for image_id, row in said.items():
            row["group"] = protocol.content.get(image_id, {}).get("group", "")
    return [
        {protocol.terms.person: observer, key: image_id} | said[image_id] | figures
        for observer, summary in summaries.items()
        for image_id, figures in zip(image_ids, summary.per_image, strict=True)
    ]


def read_stored(folder: Path) -> StoredEvaluation:
    """Reads `metrics.json` and `per_image.csv`.

    Raises:
        RunError: one of them is missing, broken, or not what `evaluate` writes, or links lead out of the run folder.
    """
    for name in (METRICS, PER_IMAGE):
        if leads_out(folder / name, folder.parent.parent):
            raise RunError(f"{folder / name} is not used: it leads out of the run folder. Put a copy there.")
    content = _read_metrics(folder / METRICS)
    protocol, figures = content.protocol, content.figures
    tables, leak = _read_images(folder / PER_IMAGE)
    for observer, table in tables.items():
        if observer not in figures:
            raise _broken(folder / METRICS, f"it lacks figures of {observer}, whom {PER_IMAGE} has")
        if observer.startswith(MODEL) and len(table) != protocol.images:
            raise _broken(folder / PER_IMAGE, f"{len(table)} images of {observer}, {METRICS} has {protocol.images}")
        written, found = figures[observer].mean.get("dice"), table["dice"].mean() if "dice" in table else math.nan
        if written is not None and abs(written - found) > SAME_MEAN:
            said = f"its mean Dice of {observer} is {written:.4f}, that of {PER_IMAGE} {found:.4f}"
            raise _broken(folder / METRICS, f"{said}: they are of two evaluations")
    if bool(protocol.leak) != bool(leak):
        marked = ", ".join(leak) or "none"
        raise _broken(folder / METRICS, f"its leak is {protocol.leak}, {PER_IMAGE} marks {marked}")
    pooled = {
        observer: {name: math.nan if value is None else value for name, value in found.pooled.items()}
        for observer, found in figures.items()
    }
    return StoredEvaluation(folder, replace(protocol, leak=leak), tables, pooled)


def files_of(folder: Path) -> set[Path]:
    """The files of an evaluation, by its own tables."""
    names = {METRICS, PER_IMAGE, CONFUSION, TABLE}
    try:
        tables = read_stored(folder).per_image
    except RunError:  # broken: what the new one has, too, is known by that
        tables = {}
    for observer in [name for name in tables if name.startswith(of_class(""))] or {MODEL} & {*tables}:
        ending = ending_of(observer)
        names |= {f"{PROBABILITIES}/{image}{ending}.png" for image in tables[observer].index} | {f"report{ending}.html"}
    return set(map(Path, names))


@dataclass(frozen=True)
class _Observer:
    """What `metrics.json` holds of an observer, as far as it is read."""

    pooled: dict[str, float | None]
    mean: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Metrics:
    """What `metrics.json` holds, as far as it is read."""

    protocol: Protocol
    figures: dict[str, _Observer]


def _read_metrics(path: Path) -> _Metrics:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_Metrics).validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except ValidationError as error:
        first, *others = error.errors()
        place = ".".join(map(str, first["loc"])) or "content"
        more = f", and {len(others)} more" if others else ""
        raise _broken(path, f"its {place} is not as evaluate writes it ({first['msg']}){more}") from error


def _read_images(path: Path) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """A table an observer, of the figures with a cell that is not empty; and the images that leaked."""
    tables: dict[str, dict[str, dict[str, float]]] = {}
    leak: set[str] = set()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            people = [terms.person for terms in TERMS.values()]
            person = next((name for name in reader.fieldnames or () if name in people), people[0])
            for row in reader:
                observer, image, leaked = (from_cell(row.pop(name) or "") for name in (person, "image_id", "leak"))
                row.pop("group", None)
                if None in row:  # where DictReader puts what is beyond the header
                    raise _broken(path, f"line {reader.line_num} is longer than its header")
                if leaked not in ("True", "False"):
                    raise _broken(path, f"line {reader.line_num} says {leaked!r} of leak, which is True or False")
                rows = tables.setdefault(observer, {})
                if image in rows:
                    raise _broken(path, f"image {image} of {observer} stands there twice")
                rows[image] = {name: float(cell) for name, cell in row.items() if cell != ""}
                if leaked == "True":
                    leak.add(image)
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except KeyError as error:
        raise _broken(path, f"it has no column {error}") from error
    except (ValueError, csv.Error) as error:
        raise _broken(path, f"line {reader.line_num} cannot be read ({error})") from error
    if not any(observer.startswith(MODEL) for observer in tables):
        raise _broken(path, "it has no image of the model")
    return {observer: pd.DataFrame(list(rows.values()), list(rows)) for observer, rows in tables.items()}, sorted(leak)


def _broken(path: Path, found: str) -> RunError:
    return RunError(f"Broken {path.name}: {found}, in {path}. Evaluate anew.")
