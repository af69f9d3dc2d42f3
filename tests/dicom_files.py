"""DICOM files for tests, each with a label beside it."""

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

NUMBERS = np.arange(12, dtype=np.int16).reshape(3, 4) * 100  # 0 to 1100


def dicom(path, numbers=NUMBERS, label=True, **tags):
    head = Dataset()
    head.file_meta = FileMetaDataset()
    head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head.file_meta.MediaStorageSOPClassUID = head.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"  # CT
    head.file_meta.MediaStorageSOPInstanceUID = head.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    head.Rows, head.Columns = numbers.shape[:2]
    head.SamplesPerPixel = numbers.shape[2] if numbers.ndim == 3 else 1
    head.PhotometricInterpretation = "RGB" if numbers.ndim == 3 else "MONOCHROME2"
    if numbers.ndim == 3:
        head.PlanarConfiguration = 0
    head.BitsAllocated = head.BitsStored = 8 * numbers.itemsize
    head.HighBit, head.PixelRepresentation = head.BitsStored - 1, int(numbers.dtype.kind == "i")
    head.PatientID, head.PatientName = "ID-4711", "Doe^Jane"
    for name, value in tags.items():
        setattr(head, name, value)
    head.PixelData = numbers.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, head, enforce_file_format=True)
    if label:
        Image.fromarray((numbers.reshape(*numbers.shape[:2], -1)[..., 0] > 500).astype(np.uint8) * 255).save(
            path.parent / f"{path.stem}_mask.png"
        )
    return path
