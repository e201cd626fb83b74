"""Pages that repeat what the code says are up to date: every setting, every command, every table.

EXP-98: what is generated is not edited by hand and is written anew after every change: ``./dev docs``.
"""

import importlib.util
import re
from types import ModuleType

import pytest

from support import tree

DOCS = tree.ROOT / "docs"
OWN_VARIABLE = re.compile(r"\bFONDACO_[A-Z][A-Z_]*[A-Z]\b")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    page = (DOCS / name).read_text()
    assert page == GENERATOR.rewritten(page, GENERATOR.PAGES[name]()), "run ./dev docs"


def test_every_variable_that_we_read_is_documented() -> None:
    """Also those that are no setting, such as FONDACO_CONFIG."""
    readers = [*tree.files("src", "benchmarks", "tests/support", "tests/conftest.py"), tree.ROOT / "dev"]
    read = {each for path in readers for each in OWN_VARIABLE.findall(tree.source(path))}
    documented = tree.source(DOCS / "settings.md")
    assert sorted(name for name in read if name not in documented) == []
