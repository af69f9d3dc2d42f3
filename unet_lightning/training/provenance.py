"""Which code, libraries and machine made a result."""

import contextlib
import os
import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unet_lightning import __version__

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "pillow", "scikit-image", "scipy")


def commit() -> str | None:
    """The commit of this clone, with `-dirty` where files differ from it; None where the package is installed."""
    if not (ROOT / ".git").exists():  # a clone around somebody's site-packages is not ours
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    return None


def versions() -> dict[str, str]:
    """This package, Python and the libraries that figures may depend on."""
    found = {"unet_lightning": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def machine() -> dict[str, Any]:
    """Where something ran; the number of threads decides the order of sums, and so their last bits."""
    import torch

    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration):  # not Linux, or an ARM
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()
