"""What was measured how: the protocol that stands on every table and page, and beside the figures on disk."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from unet_lightning.data.seen import Findings, Leak
from unet_lightning.data.terms import TERMS, Terms
from unet_lightning.training.origin import Origin


@dataclass(frozen=True, kw_only=True)
class Protocol(Findings, Origin):
    """What was measured how; of what earlier versions did not write it has the values that say nothing."""

    dataset: str
    split: str
    images: int
    reference: str
    region: str
    resolution: str
    task: Literal["vessels", "regions"] | None = None  # None: vessels
    threshold: float | str
    threshold_source: str
    thresholds: dict[str, float] | None = None  # of each image, where they differ
    instances: str | None = None  # how objects were matched, in words, if they were
    classes: list[str] | None = None  # background first, where there are more than two
    commit: str | None = None
    versions: dict[str, Any] = field(default_factory=dict)
    content: dict[str, dict[str, str]] = field(default_factory=dict)  # of each image: see `contents_of`
    labels: str | None = None  # what they hold
    label_doubts: list[str] = field(default_factory=list)
    leak: list[str]  # images whose figures prove nothing

    @property
    def written(self) -> dict[str, Any]:
        """As plain values, without those that are None; what was measured comes first."""
        found, own = asdict(self), Protocol.__annotations__
        return {name: found[name] for name in dict.fromkeys((*own, *found)) if found[name] is not None}

    @property
    def terms(self) -> Terms:
        """How readers call things, and what is measured."""
        return TERMS[self.task or "vessels"]

    @property
    def patients(self) -> int | None:
        """How many groups of images there are, such as patients; None where each image stands for itself."""
        return len({one["group"] for one in self.content.values() if "group" in one}) or None

    @property
    def files(self) -> list[str]:
        """The names of its checkpoints, such as `best.ckpt`."""
        return [Path(network.checkpoint).name for network in self.networks]

    @property
    def mark(self) -> str:
        """What stands beside the name of what was measured: `LEAK`, `(training unknown)`, or nothing, for instance."""
        marks = {
            "LEAK": self.leak,
            "(same patient)": self.same_patient,
            "(training unknown)": self.unknown,
            "(validation)": self.watched,
        }
        return next((mark for mark, found in marks.items() if found), "")

    @property
    def for_choosing(self) -> bool:
        """Whether these are validation images that no network learned from, but that chose its epoch or threshold."""
        known = {image for images in self.leak_reasons.values() for image in images}
        return (
            self.split == "val" and bool(self.leak) and Leak.TRAINED not in self.leak_reasons and known >= {*self.leak}
        )

    @property
    def is_chosen(self) -> bool:
        """Whether images chose the threshold, so that it may come out as another number."""
        return self.threshold_source not in ("default", "given")
