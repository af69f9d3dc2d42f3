import platform
import subprocess
import sys

import pytest

from unet_lightning.allocator import keep_freed_blocks, return_freed_blocks

# Frees a block below another one, and prints how many MB the system got back. A first block, freed before, has taught
# glibc to keep blocks of that size, if it is one of up to 32 MB.
FREE = """
import ctypes, sys
import unet_lightning.allocator
for name in sys.argv[2:]:
    getattr(unet_lightning.allocator, name)()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
size = int(sys.argv[1]) * 2**20
libc.free(libc.malloc(size))
block = libc.malloc(size)
ctypes.memset(block, 1, size)
above = libc.malloc(100_000)
before = resident()
libc.free(block)
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is of the GNU C library")
@pytest.mark.parametrize(
    ("size", "settings", "returned"),
    [
        (16, [], False),
        (100, [], True),
        (16, ["return_freed_blocks"], True),
        (100, ["keep_freed_blocks"], False),
        (16, ["keep_freed_blocks", "return_freed_blocks"], True),
        (16, ["return_freed_blocks", "keep_freed_blocks"], False),
    ],
)
def test_freed_blocks_are_kept_or_go_back_to_the_system(size, settings, returned):
    done = subprocess.run(
        [sys.executable, "-c", FREE, str(size), *settings], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(size if returned else 0, abs=1)


@pytest.mark.parametrize(
    "library",
    [TypeError("argument of type 'NoneType' is not iterable"), AttributeError("mallopt: symbol not found"), OSError()],
    ids=["Windows", "macOS", "no library"],
)
def test_elsewhere_nothing_changes(monkeypatch, library):
    def load(name):
        raise library

    monkeypatch.setattr("ctypes.CDLL", load)
    keep_freed_blocks()
    return_freed_blocks()
