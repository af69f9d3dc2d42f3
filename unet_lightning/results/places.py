"""The folder of an evaluation: one for each protocol, built beside its place, and put there as a whole.

What is built is `.NAME.new` until it is complete. An earlier evaluation of the same protocol is `.NAME.old` from the
moment before it gives its place away until its files are removed; after a crash in between, it is the evaluation.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unet_lightning.errors import OtherRun, RunError
from unet_lightning.files import leads_out, locked, take_place, writing
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.stored import beside, files_of, read_stored

LEFT = re.compile(r"\.(.+)\.(new|old)")  # what a crash leaves of an evaluation
# What makes figures those of another protocol, beside the settings in the name of the folder.
MEASURED = ("dataset", "split", "reference", "region", "resolution", "threshold", "tta", "scale")


def evaluation_name(dataset: str, split: str, settings: Mapping[str, Any]) -> str:
    """The name of an evaluation's folder by the settings that are not the usual ones: `drive-test_threshold-val`."""
    words = (f"_{name}-{_word(value)}" for name, value in settings.items())
    return f"{dataset}-{split}{''.join(words)}"


def _word(value: Any) -> str:
    """A value in a name: 1 and 1.0 are one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@contextmanager
def held(run: Path, name: str) -> Iterator[Path]:
    """Keeps other processes from an evaluation of a run while it is made.

    What a crash has left is put right first, of other evaluations too.

    Yields:
        the place of the evaluation, a folder that need not exist.

    Raises:
        OtherRun: another process makes it.
        RunError: links lead out of the run folder.
        UserError: nothing can be written there.
    """
    folder = run / "evaluation" / name
    lock, old, new = (beside(folder, ending) for ending in ("lock", "old", "new"))
    for path in (folder, lock, old, new):
        if leads_out(path, run):
            out = f"{path} leads to {path.resolve()}, out of {run}"
            raise RunError(f"{out}: nothing is written there. Remove the link.")
    other = OtherRun(f"Another process makes the evaluation {folder}: wait until it ends, or end it.")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    with locked(lock, other):
        with writing(folder):
            _put_right(folder)
            for found in filter(None, [LEFT.fullmatch(path.name) for path in folder.parent.iterdir()]):
                place = folder.with_name(found[1])
                if not leads_out(its := beside(place, "lock"), run):
                    with contextlib.suppress(OtherRun), locked(its, other):  # nobody is making it
                        _put_right(place)
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):  # nothing came of it, and there is no other
                if list(folder.parent.iterdir()) == [lock]:
                    lock.unlink()
                    folder.parent.rmdir()


def place_of(folder: Path, protocol: Protocol, image_ids: Iterable[str]) -> Path:
    """`folder`, or one beside it where an evaluation of another protocol is there, such as of other photographs."""
    ids, contents = list(image_ids), protocol.content
    mine, content = _identity(protocol, ids), {one: _pixels(contents[one]) for one in ids if one in contents}
    if not folder.exists():
        return folder
    try:
        stored = read_stored(folder)
    except RunError:  # none that could be read
        return folder
    known = {one: _pixels(found) for one, found in stored.content.items()}  # empty of earlier versions
    others = [name for name, one in _identity(stored.protocol, stored.images).items() if one != mine[name]]
    if not others and content and known:
        others = [what for what, at in (("photographs", 0), ("labels", 1)) if _each(content, at) != _each(known, at)]
    digest = hashlib.sha256(json.dumps([mine, content], default=str).encode()).hexdigest()[:6]
    return folder.with_name(f"{folder.name}_other-{others[0]}-{digest}") if others else folder


def _each(content: Mapping[str, tuple[str | None, str | None]], at: int) -> dict[str, str | None]:
    return {image: digests[at] for image, digests in content.items()}


def _pixels(content: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The digests of a photograph and its label."""
    return content.get("photograph"), content.get("label")


def put_in_place(folder: Path, build: Callable[[Path], None]) -> bool:
    """Lets `build` write an evaluation into a new folder, which then takes the place of `folder`; all of it or nothing.

    Files in the earlier one that no evaluation has written, such as those of trackers, stay.

    Returns:
        whether there was an earlier one.
    """
    new = beside(folder, "new")
    with writing(folder):
        _put_right(folder)
        new.mkdir()
        try:
            build(new)
            if earlier := folder.exists():
                take_place(folder, beside(folder, "old"))
            take_place(new, folder)
        finally:
            _put_right(folder)
    return earlier


def _put_right(folder: Path) -> None:
    """Brings an evaluation back that had just given its place away, and removes what is left of a build."""
    old, new = beside(folder, "old"), beside(folder, "new")
    if old.exists() and not folder.exists():
        take_place(old, folder)
    if old.is_dir() and not old.is_symlink():
        _clear(old, folder)
    for left in (old, new):
        if left.is_symlink():
            left.unlink()
    if new.is_dir():
        shutil.rmtree(new)


def _clear(old: Path, folder: Path) -> None:
    """Removes an earlier evaluation by the names of its files, and moves all others into the one in its place."""
    own = files_of(old)
    for home, folders, files in os.walk(old, topdown=False):
        links = [name for name in folders if Path(home, name).is_symlink()]
        for path in (Path(home, name) for name in (*files, *links)):
            name = path.relative_to(old)
            target = folder / name
            if name in own or target.is_symlink() or target.exists():
                path.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
        Path(home).rmdir()


def _identity(protocol: Protocol, image_ids: Iterable[str]) -> dict[str, Any]:
    """What tells an evaluation from others of the same name."""
    known = {name: getattr(protocol, name) for name in MEASURED}
    if protocol.is_chosen:
        known["threshold"] = "chosen"
    return {**known, "networks": protocol.files, "images": sorted(image_ids)}
