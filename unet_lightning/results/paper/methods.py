"""What is drawn: the entries of a leaderboard, the first of them, under the names that a paper has for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unet_lightning.errors import ConfigError
from unet_lightning.metrics.statistics import LEAST, METHOD, Groups
from unet_lightning.results.boards import entries_of
from unet_lightning.results.leaderboard.board import Leaderboard, groups_of, make_leaderboard
from unet_lightning.results.leaderboard.choices import shortened
from unet_lightning.results.leaderboard.entries import Entry, Run
from unet_lightning.results.leaderboard.tables import marked
from unet_lightning.results.style import LOOKS
from unet_lightning.results.tables import readable_name
from unet_lightning.text import published, shown

MOST = len(LOOKS)
NAME = 22  # characters, which a column of a montage has room for


@dataclass
class Methods:
    """The first entries of a leaderboard; `folders`, `on`, `figure` and `class_name` are those of `board_of`.

    Attributes:
        names: what entries are called instead, by the leaderboard's names.
        board: all of it.
        every: the entries in their order, the second observer and leaks among them.
        entries: the first `MOST` of them.
        labels: what stands beside them in pictures, by name: mark, and short settings unless it was named.
    """

    folders: Sequence[Path]
    on: str | None = None
    figure: str = "dice"
    class_name: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board, entries = self.ranked(self.class_name)
        # Maps that look at no photograph are for tables: they stretch an axis over which methods differ.
        every = [entries[name] for name in self.board.lines["entry"]]
        self.every = [entry for entry in every if not entry.trivial]
        self.entries = self.every[:MOST]
        self.labels = {}
        for line in self.board.lines.itertuples():
            below = " ".join(() if line.entry in self.names.values() else line.settings)
            label = shown(shortened(line.entry, NAME) + marked(line.kind, line.unknown_training))
            self.labels[line.entry] = label + f"\n{shown(below)}" * (0 < len(below) <= NAME)

    @property
    def models(self) -> list[Entry]:
        """Those that are no human."""
        return [entry for entry in self.entries if entry.runs]

    @property
    def panels(self) -> list[str | None]:
        """The classes that have a panel each where a figure is of one: of several all, if none is named."""
        classes = self.models[0].runs[0].evaluation.classes
        return [*classes[1:]] if classes and self.class_name is None else [self.class_name]

    @property
    def named(self) -> str:
        """The figure."""
        return f"{readable_name(self.figure)} per image"

    def ranked(self, class_name: str | None) -> tuple[Leaderboard, dict[str, Entry]]:
        """The leaderboard of a class, with its entries by name; ConfigError where `names` do not fit them."""
        entries, notes, unfinished = entries_of(self.folders, self.on, class_name)
        known = [entry.name for entry in entries]
        if unknown := [name for name in self.names if name not in known]:
            raise ConfigError(f"--name {unknown[0]}: no entry is called so. They are {', '.join(known)}.")
        entries = [replace(entry, name=self.names.get(entry.name, entry.name)) for entry in entries]
        by_name = {entry.name: entry for entry in entries}
        if len(by_name) < len(entries):
            raise ConfigError(f"--name gives two entries one name: {', '.join(entry.name for entry in entries)}.")
        return make_leaderboard(entries, self.figure, class_name, notes, unfinished), by_name

    def groups(self, images: Sequence[str]) -> Groups:
        """The group of each image, where some are of one."""
        groups = groups_of(self.entries)
        return None if groups is None else [groups[image] for image in images]

    def caption(self, words: str) -> str:
        """What a picture or table shows, of which images, and what speaks against it; `notes` of the board say more."""
        board, number = self.board, len(self.entries)
        said = [words, f"The first {number} of {len(self.every)} entries are drawn." * (number < len(self.every))]
        how = [
            ", ".join(sorted({*board.lines[key].explode().dropna().map(str)})) for key in ("threshold", "tta", "scale")
        ]
        said += [board.lead, board.notes[0], "Threshold {}; TTA {}; scale {}.".format(*(one or "-" for one in how))]
        by_group = " by group" * (groups_of(self.entries) is not None)
        said.append(f"Intervals of means: 95 %, {METHOD}{by_group}, none below {LEAST}.")
        return " ".join(published(one) for one in (*said, *board.doubts) if one)


def run_with(entry: Entry, image: str) -> Run:
    """The first run of an entry that measured an image."""
    return next(run for run in entry.runs if image in run.evaluation.images)
