"""What the program keeps for its user: it counts only where it is whole, of this program, and the user's own."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest

from heuristics import user_cache
from heuristics.rulebook import kept, model
from heuristics.rulebook.model import Rulebook

pytestmark = pytest.mark.skipif(os.name != "posix", reason="nothing is kept where the owner of a file is not known")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return user_cache.cache_folder()


def fresh() -> Rulebook:
    """The default rulebook, as a new process gets it."""
    model._default.cache_clear()
    return model.load()


def test_what_is_kept_comes_back_for_the_same_key_only(folder: Path) -> None:
    assert user_cache.kept("thing", "key") is None
    user_cache.keep("thing", "key", b"content")
    assert user_cache.kept("thing", "key") == b"content"
    assert user_cache.kept("thing", "another key") is None
    assert [path.name for path in folder.iterdir()] == ["thing"]


def test_what_is_damaged_does_not_count(folder: Path) -> None:
    user_cache.keep("thing", "key", b"content")
    for content in (b"", b"x", (folder / "thing").read_bytes()[:-1], (folder / "thing").read_bytes() + b"x"):
        (folder / "thing").write_bytes(content)
        assert user_cache.kept("thing", "key") is None


@pytest.mark.parametrize("which", ["thing", "."])
def test_what_others_may_write_does_not_count(folder: Path, which: str) -> None:
    user_cache.keep("thing", "key", b"content")
    (folder / which).chmod(0o777)
    assert user_cache.kept("thing", "key") is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", ["thing", "."])
def test_what_another_user_owns_does_not_count(folder: Path, which: str) -> None:
    user_cache.keep("thing", "key", b"content")
    os.chown(folder / which, 65534, 65534)
    assert user_cache.kept("thing", "key") is None


def test_links_and_pipes_do_not_count(folder: Path, tmp_path: Path) -> None:
    user_cache.keep("thing", "key", b"content")
    (folder / "thing").rename(tmp_path / "elsewhere")
    (folder / "thing").symlink_to(tmp_path / "elsewhere")
    assert user_cache.kept("thing", "key") is None
    (folder / "thing").unlink()
    os.mkfifo(folder / "thing")
    assert user_cache.kept("thing", "key") is None


def test_without_a_place_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    user_cache.keep("thing", "key", b"content")
    assert user_cache.kept("thing", "key") is None


def test_the_kept_rulebook_is_the_one_that_was_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = fresh()
    assert (folder / "rulebook.pickle").is_file()
    monkeypatch.setattr(model, "_merged", None)  # nothing is read anew
    found = fresh()
    assert (found, found.hash) == (read, read.hash)


def test_a_kept_rulebook_of_another_program_is_read_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh()
    monkeypatch.setattr(kept, "source_hash", lambda *_: "another program")
    assert kept.kept_rulebook() is None


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch hostile",)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(Hostile()), pickle.dumps(["no rulebook"])])
def test_a_kept_rulebook_is_nothing_but_a_rulebook(folder: Path, content: bytes) -> None:
    expected = fresh()
    user_cache.keep("rulebook.pickle", kept._key(), content)
    assert fresh() == expected
    assert not Path("hostile").exists()


def test_functions_of_this_package_are_not_called_either(folder: Path) -> None:
    class Function:
        def __reduce__(self) -> tuple[object, tuple[str, str, bytes]]:
            return user_cache.keep, ("called", "key", b"")

    user_cache.keep("rulebook.pickle", kept._key(), pickle.dumps(Function()))
    assert kept.kept_rulebook() is None
    assert not (folder / "called").exists()


def test_the_digest_covers_key_and_content(folder: Path) -> None:
    user_cache.keep("thing", "key", b"content")
    assert (folder / "thing").read_bytes() == hashlib.sha256(b"key\0content").digest() + b"content"
