"""Which code and which libraries made a result."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from unet_lightning import __version__

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "pillow", "scikit-image", "scipy")


def commit() -> str | None:
    """The commit of this clone, with `-dirty` where files differ from it; None where the package is installed."""
    if not (ROOT / ".git").exists():  # a clone around somebody's site-packages is not ours
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str]:
    """This package, Python and the libraries that figures may depend on."""
    found = {"unet_lightning": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
