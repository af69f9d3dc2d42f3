"""NIfTI: volumes with volumes of labels, as slices.

Voxels are put in order first, so that they run to the patient's right, to the front and upwards. In a slice front, or
upwards, is above; right is on the left, as radiologists look at it, and in a sagittal one the front is.
"""

import re
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet_lightning.data.pairs import LABELS, without_ending
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import Coding, seen
from unet_lightning.importing.found import Found, Label, Labelled, Options, Pixels, Reader
from unet_lightning.importing.grey import OPTIONS, Greys, asked_greys
from unet_lightning.importing.layouts import OF_LABELS, OF_MASKS
from unet_lightning.importing.levels import Levels
from unet_lightning.importing.matching import coding_of_one, pairs_of
from unet_lightning.text import as_id, some

TAKES = OPTIONS | {"axis", "slices", "images", "labels", "classes", "colours", "several", "threshold"}
NAME = re.compile(r"(?i)(.+?)\.nii(?:\.gz)?")
CHANNEL = re.compile(r"(.+)_(0\d{3})")  # nnU-Net's names of photographs
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
EXPECTED = (
    "Expected images/case1.nii.gz with labels/case1.nii.gz, or case1.nii.gz with case1_seg.nii.gz; folders are named "
    "by --images and --labels."
)
LARGEST = 2**32  # bytes of a volume
APART = 0.05  # of a voxel: by how much two grids may be off


class Volume(NamedTuple):
    """What the head of a file says."""

    shape: tuple[int, ...]
    affine: Pixels  # (4, 4): from voxels to millimetres
    spacing: tuple[float, ...]  # mm
    oriented: bool  # whether the file says how the patient lies


def read(path: Path, options: Options) -> Found:
    """The slices of all volumes along an axis; slices of a volume are one group.

    Raises:
        ConfigError: no axis or no range of numbers is given.
        DataError: a volume is alone or broken, or the voxels of its labels are not its own.
    """
    pairs = _pairs(path, options)
    heads = {name: _checked(photo, label) for name, (photo, label) in pairs.items()}
    greys, axis = asked_greys(options), AXES.get(options.get("axis", ""))
    name, (photo, _) = next(iter(pairs.items()))
    if axis is None:
        each = ", ".join(f"{one} (every {heads[name].spacing[n]:g} mm in {name})" for one, n in AXES.items())
        raise ConfigError(f"Say along which axis slices are taken by --axis: {each}.")
    if greys is None:
        numbers = _voxels(photo)
        raise ConfigError(
            f"Say which numbers are black and white: --window LOW HIGH makes 8 bits of them, --value-range LOW HIGH "
            f"keeps them. {photo} has {np.nanmin(numbers):g} to {np.nanmax(numbers):g}."
        )
    looks, filled, shown = [], {}, {}
    for one, (photo, label) in pairs.items():
        voxels = _labels(label)
        looks.append(seen(Levels(str(label), np.unique(voxels)[None].astype(np.int64), False)))
        filled[one] = (voxels != 0).any(axis=tuple({0, 1, 2} - {axis}))
        shown[one] = _shown(photo, axis, greys)
        if hidden := np.flatnonzero(filled[one] & ~shown[one]).tolist():
            raise DataError(
                f"{label} has a label in {options['axis']} slices {some(hidden)}, of which {photo} shows one grey from "
                f"{greys.low:g} to {greys.high:g}. Give other numbers, or correct the label."
            )
    coding = coding_of_one(looks, options)
    images = [
        Labelled(
            f"{as_id(one)}_{place:0{len(str(len(filled[one])))}d}",
            partial(_photograph, photo, axis, place, greys),
            partial(_label, label, axis, place, coding),
            f"{label}, {options['axis']} slice {place}",
            as_id(one),
        )
        for one, (photo, label) in pairs.items()
        for place in np.flatnonzero(filled[one] if options.get("slices") == "labelled" else shown[one]).tolist()
    ]
    if not images:
        raise DataError(
            f"No slice in {path} {'has a label' if options.get('slices') else 'shows anything'}: nothing is left. Give "
            "other labels, other numbers for black and white, or no --slices."
        )
    whole = sum(len(one) for one in filled.values())
    said = [*coding.said, greys.said, f"{len(images)} of {whole} {options['axis']} slices of {len(pairs)} volumes."]
    if blank := sum(int((~one).sum()) for one in shown.values()):
        said.append(f"Slices of one grey, which show nothing, were left out: {blank}.")
    said += _doubts(heads, axis)
    return Found(images, coding.classes, said, value_range=greys.kept_range)


def _doubts(heads: dict[str, Volume], axis: int) -> list[str]:
    said = ["Slices of a volume are one group. Where patients have several volumes, group them by --groups."]
    if lying := [name for name, head in heads.items() if not head.oriented]:
        said.append(f"{some(lying)} do not say how the patient lies: axes are taken in the order of the file.")
    for name, head in heads.items():
        across, down = (mm for n, mm in enumerate(head.spacing) if n != axis)
        if max(across, down) > 1.05 * min(across, down):
            return [*said, f"Pixels are no squares: {down:g} x {across:g} mm (height x width) in {name}."]
    return said


def _files(path: Path, folder: str | None) -> list[Path]:
    """The NIfTI files, those in folders of a name alone where one is given."""
    found = sorted(path.rglob("*")) if path.is_dir() else []
    named = [one for one in found if NAME.fullmatch(one.name) and not one.name.startswith(".") and one.is_file()]
    return [one for one in named if folder is None or folder in one.relative_to(path).parts[:-1]]


def _pairs(path: Path, options: Options) -> dict[str, tuple[Path, Path]]:
    """The volume and the labels of each name."""
    labels = [one for one in _files(path, options.get("labels")) if "labels" in options or _is_label(one, path)]
    photos = [one for one in _files(path, options.get("images")) if one not in labels]
    if others := [one for one in photos if (channel := CHANNEL.fullmatch(_name(one))) and channel[2] != "0000"]:
        raise DataError(f"{others[0]} is a further channel: volumes of several are not read. Take out all but one.")
    return pairs_of(photos, labels, _stem, EXPECTED)


def _is_label(file: Path, root: Path) -> bool:
    folders = [re.sub("T[rs]$", "", part) for part in file.relative_to(root).parts[:-1]]  # labelsTr, of nnU-Net
    by_name = without_ending(f"x_{_name(file)}", LABELS) == "x" or without_ending(_name(file), LABELS) != _name(file)
    return by_name or any(OF_LABELS.fullmatch(part) or OF_MASKS.fullmatch(part) for part in folders)


def _name(file: Path) -> str:
    match = NAME.fullmatch(file.name)
    return match[1] if match else file.stem


def _stem(file: Path) -> str:
    """The name without the number of a channel."""
    channel = CHANNEL.fullmatch(_name(file))
    return channel[1] if channel else _name(file)


def _checked(photo: Path, label: Path) -> Volume:
    """The head of a volume, of which the labels have the same voxels; else DataError."""
    one, other = _head(photo), _head(label)
    if one.shape != other.shape:
        raise DataError(f"{photo} has {one.shape} voxels and {label} {other.shape}: both must be of one grid.")
    corners = np.array(np.meshgrid(*((0, n - 1) for n in one.shape), [1])).reshape(4, -1)
    off = np.linalg.norm(((one.affine - other.affine) @ corners)[:3], axis=0).max()
    if not off <= APART * min(one.spacing):
        raise DataError(
            f"{photo} and {label} do not lie in one place: their voxels are {off:.3g} mm apart. Resample the labels to "
            "the volume's grid, or copy its header if they were drawn on it."
        )
    return one


def _head(file: Path) -> Volume:
    image = _opened(file)
    known = any(int(image.header[code]) for code in ("qform_code", "sform_code"))
    return Volume(image.shape, image.affine, tuple(map(float, image.header.get_zooms()[:3])), known)


def _opened(file: Path) -> Any:
    """A volume of three dimensions, its voxels in order, none of them read."""
    try:
        import nibabel
    except ImportError as error:
        raise ConfigError("NIfTI needs a package: pip install 'unet-lightning[volumes]'.") from error
    try:
        image = nibabel.load(file)
        shape = image.shape
        if len(shape) == 4 and shape[3] == 1:
            image = image.slicer[..., 0]
        right = len(image.shape) == 3 and min(image.shape) > 0 and np.isfinite(image.affine).all()
        large = int(np.prod([*map(int, shape)], dtype=object)) * image.get_data_dtype().itemsize
        if right and large <= LARGEST:
            return nibabel.as_closest_canonical(image)
    except Exception as error:  # a broken file may raise anything in its parser
        raise DataError(f"{file} cannot be read as NIfTI ({str(error)[:200]}). Copy it again.") from error
    raise DataError(f"{file} has {shape} voxels of {large / max(1, np.prod(shape)):g} bytes: one volume is expected.")


@lru_cache(maxsize=2)
def _read(file: Path, _time: int) -> Pixels:
    image = _opened(file)
    try:
        voxels: Pixels = np.asanyarray(image.dataobj)
    except Exception as error:  # a broken file may raise anything in its parser
        raise DataError(f"{file} cannot be read as NIfTI ({str(error)[:200]}). Copy it again.") from error
    if voxels.dtype.kind not in "iuf":
        raise DataError(f"{file} has voxels of {voxels.dtype}: real numbers are expected.")
    return voxels


def _voxels(file: Path) -> Pixels:
    return _read(file, file.stat().st_mtime_ns)


def _shown(file: Path, axis: int, greys: Greys) -> NDArray[np.bool_]:
    """Which slices have several greys, `(N,)`: scanners and resampling add blank ones, all alike."""
    across = tuple({0, 1, 2} - {axis})
    least, most = (np.clip(found(_voxels(file), axis=across), greys.low, greys.high) for found in (np.min, np.max))
    shown: NDArray[np.bool_] = ~(least == most)
    return shown


def _labels(file: Path) -> Pixels:
    voxels = _voxels(file)
    if not np.isfinite(voxels).all() or (voxels != np.rint(voxels)).any() or voxels.min() < 0:
        raise DataError(f"The labels {file} are no whole numbers from 0: they may be probabilities, or resampled.")
    return voxels


def _slice(voxels: Pixels, axis: int, place: int) -> Pixels:
    """A slice as it is looked at, `(H, W)`."""
    return np.ascontiguousarray(np.take(voxels, place, axis)[::-1, ::-1].T)


def _photograph(file: Path, axis: int, place: int, greys: Greys) -> Pixels:
    return greys.of(_slice(_voxels(file), axis, place), str(file))


def _label(file: Path, axis: int, place: int, coding: Coding) -> Label:
    return coding.decode(Levels(str(file), _slice(_labels(file), axis, place).astype(np.int64), False))


READER = Reader("nifti", lambda path: bool(_files(path, None)), read, TAKES)
