"""What checks and normalisation need of every image: found in one pass, remembered between runs of the same files."""

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unet_lightning.data.content import Content
from unet_lightning.data.normalisation import Moments
from unet_lightning.errors import UserError
from unet_lightning.files import user_folder, write_text

FRESH = 2.0  # seconds: a file that was written so short ago may be written once more with the same time
VERSION = 1  # of what is remembered

log = logging.getLogger(__name__)


class Facts(NamedTuple):
    """What is known of an image; plain, for JSON."""

    content: Content
    counts: list[int]  # pixels of each class that count
    moments: Moments  # of the pixels that count
    diameter: int | None  # of the field of view, pixels


class Remembered:
    """Facts of images by their files, in a file of the user's.

    An image is known by path, size, number and times of its files, to the nanosecond, and by how they are read. One of
    the times is that at which the system last changed a file, which no copy or archive brings with it. Files that were
    written within the last seconds are not remembered.

    Args:
        settings: how the images are read, for JSON.
        folder: that the photographs lie in.
    """

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        named = json.dumps([VERSION, dict(settings), str(folder.resolve())], sort_keys=True)
        self.path: Path | None = None
        self.known: dict[str, Any] = {}
        self.fresh: set[str] = set()
        try:
            self.path = user_folder() / "images" / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"
            self.known = dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            log.debug(f"Nothing is remembered of these images: {error}")

    def get(self, files: Sequence[Path | None]) -> Facts | None:
        """The facts of an image; None where they are not known."""
        try:
            content, counts, moments, diameter = self.known[self._key(files)]
            return Facts(dict(content), list(counts), Moments(*moments), diameter)
        except (KeyError, OSError, TypeError, ValueError):
            return None

    def put(self, files: Sequence[Path | None], facts: Facts) -> None:
        """Notes the facts of an image."""
        if not all(path is None or path.is_file() for path in files):
            return  # what is in memory alone
        times = [max(path.stat().st_mtime, path.stat().st_ctime) for path in files if path is not None]
        if time.time() - max(times) > FRESH:
            self.known[key := self._key(files)] = facts
            self.fresh.add(key)

    def write(self) -> None:
        """Writes what is new."""
        if self.fresh and self.path is not None:
            try:
                write_text(self.path, json.dumps(self.known))
                self.fresh.clear()
            except (OSError, UserError) as error:
                log.debug(f"Nothing is remembered of these images: {error}")

    @staticmethod
    def _key(files: Sequence[Path | None]) -> str:
        named = [(str(path), path.stat()) for path in files if path is not None]
        return " ".join(
            f"{name}:{found.st_size}:{found.st_ino}:{found.st_mtime_ns}:{found.st_ctime_ns}" for name, found in named
        )
