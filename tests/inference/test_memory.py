import platform
import subprocess
import sys

import pytest

from unet_lightning.inference.device import return_large_blocks


def test_prediction_does_not_import_torchvision():
    # It would take 2 s and 170 MB, an eighth of what a photograph of 8000 x 8000 pixels may take.
    code = (
        "import sys, unet_lightning.inference.predictor, unet_lightning.inference.maps; "
        "print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Frees a block of 16 MB below another one, and prints how many MB the system got back. A first block, freed before,
# has taught glibc to keep blocks of that size.
FREE = """
import ctypes, sys
from unet_lightning.inference.device import return_large_blocks
if sys.argv[1] == "set":
    return_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
size = 16 * 2**20
libc.free(libc.malloc(size))
block = libc.malloc(size)
ctypes.memset(block, 1, size)
above = libc.malloc(100_000)
before = resident()
libc.free(block)
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is of the GNU C library")
def test_large_blocks_go_back_to_the_system_at_once():
    returned = {}
    for setting in ("set", "left"):
        done = subprocess.run([sys.executable, "-c", FREE, setting], capture_output=True, text=True, check=True)
        returned[setting] = int(done.stdout)
    assert returned["set"] >= 15
    assert returned["left"] <= 1


@pytest.mark.parametrize(
    "library",
    [TypeError("argument of type 'NoneType' is not iterable"), AttributeError("mallopt: symbol not found"), OSError()],
    ids=["Windows", "macOS", "no library"],
)
def test_elsewhere_nothing_changes(monkeypatch, library):
    def load(name):
        raise library

    monkeypatch.setattr("ctypes.CDLL", load)
    return_large_blocks()
