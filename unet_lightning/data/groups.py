"""Which images belong together, as those of one patient: by a pattern of their names, or by a table."""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from unet_lightning.data.table import read_by_image
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.text import some

IDS, GROUPS = ("image_id", "id", "image", "file", "name"), ("group", "patient", "patient_id", "person", "subject")
EYE = "(?:left|right|od|os|l|r)"
# How names tell whose images they are, by what they have in common: the first group of a pattern. The likeliest first.
LIKELY = (
    rf"(?i)^(.+?)(?:(?:[ _.-]+|(?<=[0-9])){EYE}(?:[ _.-]+[0-9]+)?)?$",  # p1_L and p1_R, 01_left_2
    rf"(?i)^{EYE}[ _.-]+(.+)$",  # left_01 and right_01
    r"^(.+)[ _.-]+[A-Za-z]*[0-9]+$",  # P03_1 and P03_2, case4_slice10
    r"^(.*[0-9])[ _.-]*[A-Za-z]+$",  # 7a and 7b, P1_macula and P1_disc
)
# Shorter ones, tried first for what is shown.
SHORT = ("^(.+)[_-]", "^([^_]+)_", "^(.+)[A-Za-z]$", "^[^_]+_(.+)")
FEW = 4  # images a group, beyond which names without a number are those of kinds rather than of people
SHOWN = 4  # groups in a warning

log = logging.getLogger(__name__)


def read_groups(given: str, image_ids: Sequence[str], root: Path) -> dict[str, str]:
    r"""The group of each image.

    Args:
        given: a regular expression, whose first group is found in each name, such as `(P\d+)_`; or the path of a CSV
            file, from the working folder or from `root`: a column of names (`image_id`, `id`, `image`, `file` or
            `name`) and one of groups (`group`, `patient`, `patient_id`, `person` or `subject`).
        image_ids: names without suffix.
        root: the folder of the data set.

    Raises:
        ConfigError: it is neither, or the pattern does not find a group in a name.
        DataError: the table is broken, or lacks an image.
    """
    if given.lower().endswith(".csv"):
        table = next((path for path in (Path(given), root / given) if path.is_file()), None)
        if table is None:
            raise DataError(f"No table of groups: looked for {given} in the working folder and in the data set's.")
        return read_by_image(table, "table of groups", image_ids, IDS, GROUPS)
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise ConfigError(f"data.dataset.groups is no regular expression: {given} ({error}).") from error
    if not pattern.groups:
        raise ConfigError(
            f"data.dataset.groups={given} has no group: put what is the same in all images of one patient into "
            r"brackets, as in (P\d+)_."
        )
    found = {image_id: pattern.search(image_id) for image_id in image_ids}
    if other := [image_id for image_id, match in found.items() if match is None or not match[1]]:
        raise ConfigError(f"data.dataset.groups={given} finds no group in the name of {some(other)}.")
    return {image_id: match[1] for image_id, match in found.items() if match is not None}


def likely_groups(image_ids: Sequence[str]) -> tuple[str, dict[str, list[str]]] | None:
    """A pattern by which names look grouped, with the images of each group; None where they do not."""
    for pattern in LIKELY:
        groups: dict[str, list[str]] = {}
        found = [re.search(pattern, image_id) for image_id in image_ids]
        for image_id, match in zip(image_ids, found, strict=True):
            if match is not None:
                groups.setdefault(match[1], []).append(image_id)
        together = [members for members in groups.values() if len(members) > 1]
        several = len(groups) > 1 or EYE in pattern
        numbered = all(re.search("[0-9]", name) for name in groups) or EYE in pattern
        if all(found) and together and several and (numbered or len(image_ids) <= FEW * len(groups)):
            same = [match[1] for match in found if match is not None]
            return next((one for one in SHORT if _grouped(one, image_ids) == same), pattern), groups
    return None


def _grouped(pattern: str, image_ids: Sequence[str]) -> list[str | None]:
    matches = [re.search(pattern, image_id) for image_id in image_ids]
    return [match and match[1] for match in matches]


@cache  # a program opens its data set several times
def ask_for_groups(image_ids: tuple[str, ...]) -> None:
    """Warns where names look as if several images were of one patient, and shows how to say so."""
    if likely := likely_groups(image_ids):
        pattern, groups = likely
        shown = [f"{name}: {some(members)}" for name, members in groups.items() if len(members) > 1]
        more = f"; and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        log.warning(
            f"The names of these {len(image_ids)} images look as if they were of {len(groups)} patients "
            f"({'; '.join(shown[:SHOWN])}{more}). Where they are, folds, validation and intervals must keep them "
            f"together: give 'data.dataset.groups=\"{pattern}\"'. Where each is of another patient, give "
            "'data.dataset.groups=\"(.+)\"'."
        )


def check_kept_together(part: Sequence[str], rest: Sequence[str], groups: Mapping[str, str], what: str) -> None:
    """Raises ConfigError where a group has images in a part of a split and in the rest."""
    theirs = {groups[image_id] for image_id in part}
    if parted := [image_id for image_id in rest if groups[image_id] in theirs]:
        named = ", ".join(f"{image_id} ({groups[image_id]})" for image_id in parted[:SHOWN])
        raise ConfigError(
            f"{what} parts the images of one patient: {some(part)} without {named}. Name all images of a patient, or "
            "none."
        )
