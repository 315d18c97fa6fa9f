"""What the C library keeps is limited where the library can be told so, and elsewhere nothing happens."""

import ctypes
import subprocess
import sys

import pytest

from forwarder import heap

ARENAS = """
import ctypes, re, sys, threading
from forwarder.heap import share_arenas
if sys.argv[1] == "shared":
    share_arenas()
both = threading.Barrier(9)

def work():
    kept = ctypes.CDLL(None).malloc(5000)
    both.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
both.wait()
ctypes.CDLL(None).malloc_stats()
"""
GIVEN_BACK = """
import re
from pathlib import Path
from forwarder.heap import give_back

def resident_kib():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

give_back()
kept = [bytes(3000) for _ in range(20_000)]
last = bytes(3000)  # nothing before it can be given back by itself
before = resident_kib()
del kept
held = resident_kib()
give_back()
print(before - held, held - resident_kib())
"""
with_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is another one")


def ran(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)


@with_glibc
def test_threads_share_an_arena() -> None:
    assert ran(ARENAS, "shared").stderr.count("Arena ") <= 2
    assert ran(ARENAS, "as usual").stderr.count("Arena ") > 2


@with_glibc
def test_free_memory_is_given_back() -> None:
    kept, given_back = map(int, ran(GIVEN_BACK).stdout.split())
    assert kept < 10_000
    assert given_back > 40_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_library", lambda: None)
    heap.share_arenas()
    heap.give_back()
