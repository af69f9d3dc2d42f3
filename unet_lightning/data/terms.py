"""What the images of a task are about: how readers call things, and which figures have a meaning.

Vessels are thin, long and joined, drawn by observers within the disc that a fundus camera shows. Regions, such as cells
or lesions, are not: their centreline says nothing, those that touch are one connected component however well they are
found, and a photograph of them has no disc to look for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SHAPE = ("cldice", "component_error", "sensitivity_thin", "sensitivity_thick")  # figures of vessels alone


@dataclass(frozen=True)
class Terms:
    """The words of a task, and what is measured and looked for."""

    person: str  # who draws labels
    reference: str  # whose labels are measured against
    field: str  # where pixels count
    mask: str  # a file that says where
    shape: Sequence[str]  # figures beside those of every task
    finds_field: bool  # whether photographs show where pixels count, so that it may be looked for

    @property
    def second(self) -> str:
        """Whoever has drawn all labels once more."""
        return f"second {self.person}"

    @property
    def against_second(self) -> str:
        """The network, measured against them."""
        return f"model against second {self.person}"


TERMS = {
    "vessels": Terms("observer", "first observer", "field of view", "field-of-view mask", SHAPE, True),
    "regions": Terms("annotator", "labels", "counted area", "mask of the counted area", (), False),
}
