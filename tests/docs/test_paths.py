"""What a page of documentation names in this repository exists: files, folders, modules, links and their anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_FOLDERS = [".ci", "bench", "docs", "examples", "generator", "heuristics", "plugins", "postproc", "scripts", "tests"]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "bench/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "tests").rglob("README.md")),
]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
# The tables of this page name some files by their path below one of these.
HALLS = (ROOT / "postproc", ROOT / "generator" / "templates", ROOT / "heuristics")


def rooms(hall: Path) -> list[str]:
    return sorted(path.name for path in hall.iterdir() if path.is_dir() and path.name != "__pycache__")


def missing(page: Path, text: str) -> Iterator[str]:
    """What `text` names and does not exist, as if it stood in `page`."""
    text = re.sub(r"https?://\S+", "", text)
    yield from (target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not is_target(page, target))
    words = [word.rstrip(".,:-") for word in re.findall(r"[\w.*/-]+", re.sub(r"\]\([^)]*\)", "]", text))]
    for word in words:
        first = word.partition("/")[0]
        if "/" in word and first in TOP_FOLDERS and not exists(ROOT, word):
            yield word
        if page == ARCHITECTURE and "/" in word:
            halls = [hall for hall in HALLS if first in rooms(hall)]
            if halls and not any(exists(hall, word) for hall in halls):
                yield word
        if "/" not in word and re.fullmatch(r"\w+(\.lua)?\.(py|j2|sh)", word) and not any(ROOT.glob(f"*/**/{word}")):
            yield word
    for module in re.findall(r"python3? -m ([\w.]+)", text):
        path = ROOT / module.replace(".", "/")
        if module.split(".")[0] in TOP_FOLDERS and not (path.with_suffix(".py").is_file() or path.is_dir()):
            yield module


def exists(folder: Path, path: str) -> bool:
    return any(folder.glob(path)) if "*" in path else (folder / path).exists()


def is_target(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    if not anchor or not file.is_file():
        return file.exists()
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    assert list(missing(page, page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("folder", ["bench", "generator", "heuristics", "postproc", "tests"])
def test_the_files_that_code_names_exist(folder: str) -> None:
    """Docstrings and comments of Python and Lua name files of the program by their whole path."""
    named = re.compile(r"\b(?:bench|generator|heuristics|postproc)(?:/\w+)+(?:\.lua)?\.(?:py|j2|toml)\b")
    for path in sorted((ROOT / folder).rglob("*.*")):
        if path.suffix in {".py", ".j2", ".toml"} and path != Path(__file__):
            gone = [name for name in named.findall(path.read_text(encoding="utf-8")) if not exists(ROOT, name)]
            assert gone == [], path


@pytest.mark.parametrize(
    "text",
    [
        "see `postproc/nowhere.py`",
        "`capture/nowhere.py`",
        "`nowhere.py`",
        "tests/captures/nowhere holds",
        "`heuristics/rulebook/default/*.json`",
        "python -m bench.nowhere FOLDER",
        "[a page](nowhere.md)",
        "[a part](rulebook.md#nowhere)",
    ],
)
def test_what_does_not_exist_is_found(text: str) -> None:
    assert len(list(missing(ARCHITECTURE, text))) == 1


def test_the_drawing_shows_every_room() -> None:
    drawing = re.search(r"```mermaid\n(.*?)```", ARCHITECTURE.read_text(encoding="utf-8"), re.DOTALL)
    assert drawing
    words = set(re.findall(r"\w+", drawing[1]))
    for hall in HALLS:
        assert [room for room in rooms(hall) if room not in words] == []
