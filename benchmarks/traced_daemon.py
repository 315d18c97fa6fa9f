"""Runs the daemon under `tracemalloc`, for `benchmarks.memory`: `python -m benchmarks.traced_daemon CONFIG`.

It says what is held whenever a file beside the config asks for that. It loads nothing itself that it is to measure.
"""

import importlib.machinery
import json
import runpy
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).parent.parent


def room_of(module: str) -> str:
    """Return the room of a module of forwarder, or the package of another one; all of Python's own are one."""
    parts = module.split(".")
    if parts[0] == "forwarder":
        return "/".join(parts[: 3 if parts[1:2] == ["core"] else 2])
    return "Python" if parts[0] in sys.stdlib_module_names or parts[0].startswith("_") else parts[0]


def room_of_file(name: str) -> str:
    """Return the same for the file that allocates."""
    path = Path(name)
    if path.is_relative_to(_ROOT / "forwarder"):
        return room_of(".".join(path.relative_to(_ROOT).with_suffix("").parts))
    parts = path.parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else "Python"


class _Imports:
    """Counts what stays of loading each module, without the modules that it loads."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        self._below = [0]
        loaders: tuple[Any, ...] = (importlib.machinery.SourceFileLoader, importlib.machinery.ExtensionFileLoader)
        for loader in loaders:  # of this process only
            loader.exec_module = self._counted(loader.exec_module)

    def _counted(self, load: Callable[[Any, ModuleType], None]) -> Callable[[Any, ModuleType], None]:
        def counted(loader: Any, module: ModuleType) -> None:  # noqa: ANN401 - of either kind
            before = tracemalloc.get_traced_memory()[0]
            self._below.append(0)
            try:
                load(loader, module)
            finally:
                all_of_it = tracemalloc.get_traced_memory()[0] - before
                self.kept[room_of(module.__name__)] += all_of_it - self._below.pop()
                self._below[-1] += all_of_it

        return counted


def _answer(folder: Path, imports: _Imports) -> None:
    while True:
        time.sleep(0.05)
        for asked in folder.glob("*.asked"):
            held: Counter[str] = Counter()
            for found in tracemalloc.take_snapshot().statistics("filename"):
                held[room_of_file(found.traceback[0].filename)] += found.size
            told = {"imports": imports.kept, "held": held}
            asked.with_suffix(".part").write_text(json.dumps(told), encoding="utf-8")
            asked.with_suffix(".part").rename(asked.with_suffix(".told"))
            asked.unlink()


def main() -> None:
    config = Path(sys.argv[1])
    tracemalloc.start()
    imports = _Imports()
    threading.Thread(target=_answer, args=(config.parent, imports), daemon=True).start()
    sys.argv = ["forwarder", "run", "-c", str(config), "--log-level", "info", "--log-format", "json"]
    runpy.run_module("forwarder", run_name="__main__")


if __name__ == "__main__":
    main()
