"""U-Net segmentation of small 2-D medical image sets, retinal vessels on DRIVE first.

In Python: `from unet_lightning import load, measure, train`; see docs/api.md. What these need, torch among it, is
imported when one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "ConfigError",
    "DataError",
    "Model",
    "RunError",
    "SegmentationTask",
    "UserError",
    "data_of",
    "load",
    "measure",
    "model_of",
    "train",
]

if TYPE_CHECKING:
    from unet_lightning.api import (
        ConfigError,
        DataError,
        Model,
        RunError,
        SegmentationTask,
        UserError,
        data_of,
        load,
        measure,
        model_of,
        train,
    )
else:

    def __getattr__(name: str) -> Any:
        """What docs/api.md names."""
        if name in __all__:
            return getattr(import_module("unet_lightning.api"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
