"""What of a run can be measured, and the command that does it."""

from pathlib import Path

from unet_lightning.commands import command, value_path
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import DataError, NoSplit, UserError
from unet_lightning.specs import SECTIONS, build
from unet_lightning.training.config import without_drawing
from unet_lightning.training.folder import RunFolder


def why_no_test(data: SegmentationDataModule) -> str:
    """Why there are no test images that could be measured, as the end of a sentence; empty where there are some.

    No photograph is read.
    """
    try:
        test = data.photographs("test")
    except NoSplit:
        return "the data set has no test split"
    except DataError as error:
        return f"they cannot be opened ({error})"
    if not len(test):
        return f"{test.name} has no test split"
    lacking = [image.image_id for image in test.files if image.label is None]
    return f"the test images of {test.name} have no labels here" if lacking else ""


def evaluate_command(folder: Path, *words: str) -> str:
    """The command that measures a run: on test, else on its validation images; empty where it has neither.

    A sweep is measured as a cross-validation; `words` are what the command has behind.
    """
    plain, run = command("evaluate", f"run={value_path(folder)}", *words), RunFolder(folder)
    if not run.config_file.is_file():
        return plain
    try:
        section = without_drawing(run.read_config()["data"])  # which may be somebody else's
        return command_of(build(section, SECTIONS["data"]), folder, *words)
    except UserError:  # which that command says
        return plain


def command_of(data: SegmentationDataModule, folder: Path, *words: str) -> str:
    """The same, where the data is open."""
    split = ["split=val"] if why_no_test(data) else []
    if split and not len(data.photographs("val")):
        return ""
    return command("evaluate", f"run={value_path(folder)}", *split, *words)
