"""Brings images into the layout of `data=folder`, or only checks them, and says how to go on."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from unet_lightning.commands import command, value_path
from unet_lightning.data.folder import FolderDataset
from unet_lightning.errors import ConfigError
from unet_lightning.files import whole_folder
from unet_lightning.importing.check import Checked, check_folder
from unet_lightning.importing.found import Found
from unet_lightning.importing.sheet import write_sheet
from unet_lightning.importing.split import Split
from unet_lightning.importing.writing import write_folder
from unet_lightning.text import override_value

SHEET = "check.html"


def bring(
    found: Found, split: Split, out: Path | None, name: str, channels: int | Sequence[str] | None = None
) -> Checked:
    """Writes images into the folder `out`, with check.html; or check.html alone, into the working folder.

    Args:
        found: the images.
        split: into train and test.
        out: where nothing may be yet; None: images are only checked.
        name: of the data set.
        channels: as which photographs will be read, a number or names; None: those of their files.

    Raises:
        UserError: something is wrong with an image; then nothing is written.
    """
    with whole_folder(out) if out is not None else TemporaryDirectory() as place:
        folder = Path(place)
        most = FolderDataset.most_foreground if found.may_be_inverted else 1
        made_of = write_folder(found, split, folder, name, channels)
        parts = {part: FolderDataset(folder, part, groups="(.+)") for part in split.folders}
        facts = check_folder(parts, split, made_of, most)
        shares = facts.shares["train"]
        if found.may_be_inverted and shares.whole_foreground > most:
            raise ConfigError(
                f"{found.classes[1]} covers {shares.whole_foreground:.1%} of the training labels. Where black is what "
                "is meant give --invert, where it does cover most --no-invert."
            )
        write_sheet(parts, split, facts, Path(SHEET) if out is None else folder / SHEET)
    return facts


def next_commands(found: Found, split: Split, facts: Checked, out: Path) -> list[str]:
    """What trains and evaluates on the folder, as a shell takes it."""
    words = ["experiment=own", f"data.root={value_path(out)}"]
    if held_out := split.of("val"):
        words.append(shlex.quote(f"data.val_ids=[{','.join(map(override_value, held_out))}]"))
    if len(found.classes) == 2 and facts.shares["train"].whole_foreground > FolderDataset.most_foreground:
        words.append("data.most_foreground=1")
    evaluate = f"run=outputs/own/latest{'' if split.of('test') else ' split=val'}"
    return [command("train", *words), command("evaluate", evaluate)]
