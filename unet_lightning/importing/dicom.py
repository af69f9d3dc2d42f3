"""DICOM: an image a file, with labels as image files of the same names.

Of what a file says of the patient nothing is written: patients are numbered. What is drawn into the pixels stays there.

Source: DICOM PS3.3, C.11.1 (modality LUT) and C.11.2.1.2 (window).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unet_lightning.data.opening import MAX_SIDE
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import Coding, seen
from unet_lightning.importing.found import Found, Label, Labelled, Options, Pixels, Reader
from unet_lightning.importing.grey import OPTIONS, Greys, asked_greys
from unet_lightning.importing.layouts import SUFFIXES
from unet_lightning.importing.levels import Source, read_levels
from unet_lightning.importing.matching import coding_of_one, pairs_of

TAKES = OPTIONS | {"classes", "colours", "threshold", "several", "invert"}
NAMES = (".dcm", ".dicom", ".ima")
NO_IMAGES = {"1.2.840.10008.5.1.4.1.1.66.4": "a segmentation", "1.2.840.10008.5.1.4.1.1.481.3": "an RT structure set"}
EXPECTED = "Expected a.dcm with a.png or a_mask.png, in any folders below the input."
DECODE = "Decompress it first: `gdcmconv --raw IN OUT`."


def read(path: Path, options: Options) -> Found:
    """All images of DICOM files with a label each, of one group where they are of one patient.

    Raises:
        UserError: a file is alone, broken, or no single image; or nothing tells which numbers are black and white.
    """
    files = [*_files(path)]
    labels = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in SUFFIXES and not one.name.startswith(".")]
    pairs, greys = pairs_of(files, labels, _stem, EXPECTED), asked_greys(options)
    heads = {name: _opened(file, pixels=False) for name, (file, _) in pairs.items()}
    coding = coding_of_one([seen(read_levels(Source(label))) for _, label in pairs.values()], options)
    patients = {name: str(head.get("PatientID") or "") for name, head in heads.items()}
    numbers = {patient: f"patient_{number}" for number, patient in enumerate(dict.fromkeys(patients.values()), 1)}
    known = all(patients.values())
    images = [
        Labelled(
            name,
            partial(read_image, file, greys),
            partial(_label, label, coding),
            str(label),
            numbers[patients[name]] if known else None,
        )
        for name, (file, label) in pairs.items()
    ]
    said = [*coding.said, greys.said if greys else "Numbers were taken to 0 to 255 by the window in each file."]
    said.append(f"Of {len(numbers)} patients, by their ids." if known else "Some files have no id of a patient.")
    if marked := [name for name, head in heads.items() if head.get("BurnedInAnnotation") == "YES"]:
        said.append(f"Pixels of {len(marked)} images may show who the patient is, as their files say: {marked[0]}.")
    sure = len(coding.classes) > 2 or not {"invert", "colours"}.isdisjoint(options)
    return Found(images, coding.classes, said, not sure, greys.kept_range if greys else None)


def read_image(file: Path, greys: Greys | None) -> Pixels:
    """The pixels as they are shown, `(H, W)` or `(H, W, 3)`; without `greys` by the window in the file.

    Raises:
        ConfigError: nothing tells which numbers are black and white.
        DataError: the file cannot be decoded.
    """
    from pydicom.pixels import apply_modality_lut

    head = _opened(file, pixels=True)
    try:
        pixels = head.pixel_array
        numbers = pixels if pixels.ndim == 3 else apply_modality_lut(pixels, head)
    except Exception as error:  # what is missing, or broken, is said in many ways
        raise DataError(f"The pixels of {file} cannot be decoded ({str(error)[:200]}). {DECODE}") from error
    if pixels.ndim == 3:
        if pixels.dtype != np.uint8 or pixels.shape[2] != 3:
            raise DataError(
                f"{file} has {pixels.shape} numbers of {pixels.dtype}: grey, or RGB of 8 bits, is expected."
            )
        return np.ascontiguousarray(pixels)
    shown = greys or _window(head, file)
    found = shown.of(numbers, str(file))
    if head.get("PhotometricInterpretation") != "MONOCHROME1":
        return found
    return 255 - found if shown.eight_bits else np.float32(shown.low + shown.high) - found  # white is the lowest


def _window(head: Any, file: Path) -> Greys:
    """The first window of a file, or all numbers that 8 bits can have."""
    try:
        centre, width = (np.atleast_1d(np.asarray(head.get(key), float))[0] for key in ("WindowCenter", "WindowWidth"))
        function = str(head.get("VOILUTFunction") or "LINEAR")
    except (TypeError, ValueError, IndexError):
        centre = width = np.nan
        function = "none"
    half = {"LINEAR": (width - 1) / 2, "LINEAR_EXACT": width / 2}.get(function, np.nan)
    middle = centre - 0.5 * (function == "LINEAR")
    if np.isfinite([middle, half]).all() and half > 0:
        return Greys(float(middle - half), float(middle + half), True)
    plain = not any(key in head for key in ("RescaleSlope", "ModalityLUTSequence", "VOILUTSequence", "WindowCenter"))
    if plain and head.BitsStored <= 8 and head.PixelRepresentation == 0:
        return Greys(0.0, float(2**head.BitsStored - 1), True)
    raise ConfigError(
        f"{file} does not tell which numbers are black and white, or not by a window: give --window LOW HIGH, such as "
        "--window -160 240 (of CT, in HU), or --value-range LOW HIGH."
    )


def _opened(file: Path, pixels: bool) -> Any:
    """A file of one image, checked by its head."""
    try:
        import pydicom
    except ImportError as error:
        raise ConfigError("DICOM needs a package: pip install 'unet-lightning[volumes]'.") from error
    try:
        head = pydicom.dcmread(file, stop_before_pixels=not pixels)
        kind = NO_IMAGES.get(str(head.get("SOPClassUID")))
        frames, size = int(head.get("NumberOfFrames") or 1), (int(head.get("Rows") or 0), int(head.get("Columns") or 0))
    except Exception as error:  # a broken file may raise anything in its parser
        raise DataError(f"{file} cannot be read as DICOM ({str(error)[:200]}). Copy it again.") from error
    wrong = ""
    if kind:
        wrong = f"is {kind}, which is not read: export it as a mask of each image, or as NIfTI"
    elif frames != 1:
        wrong = f"holds {frames} frames, and one is expected: export them as files of their own, or as NIfTI"
    elif not 0 < min(size) <= max(size) <= MAX_SIDE:
        wrong = f"has {size[0]} x {size[1]} pixels (height x width): 1 to {MAX_SIDE:,} on a side are expected"
    if wrong:
        raise DataError(f"{file} {wrong}.")
    return head


def _files(path: Path) -> Iterator[Path]:
    """The DICOM files, whose names often have no suffix, without DICOMDIR, which lists them."""
    for file in sorted(path.rglob("*")) if path.is_dir() else ():
        other = file.suffix.lower() in SUFFIXES or file.name.startswith(".") or file.name == "DICOMDIR"
        if not other and file.is_file():
            with file.open("rb") as content:
                if content.read(132)[128:] == b"DICM":
                    yield file


def _stem(file: Path) -> str:
    """Names may be numbers with dots."""
    return file.stem if file.suffix.lower() in (*NAMES, *SUFFIXES) else file.name


def _label(file: Path, coding: Coding) -> Label:
    return coding.decode(read_levels(Source(file)))


READER = Reader("dicom", lambda path: any(_files(path)), read, TAKES)
