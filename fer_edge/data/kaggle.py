"""Kaggle's data sets by short name: pinned, fetched once with kagglehub, found again offline.

kagglehub runs in a process of its own: it logs to stdout and draws a tqdm bar on stderr, with no
setting against the bar. There, tqdm's TQDM_* variables turn the bar into figures for our progress.
"""

import contextlib
import importlib.util
import os
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from fer_edge.errors import DataError, MissingExtraError

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class KaggleSet:
    """A data set at Kaggle.

    Attributes:
        name: What it is called here.
        handle: `owner/name`, or the name of a competition.
        version: The one that is fetched and looked for; None for a competition, which has none.
        title: What it is.
        note: What a user must know of it; empty where there is nothing.
    """

    name: str
    handle: str
    version: int | None
    title: str
    note: str = ""

    @property
    def pinned(self) -> str:
        """The handle with its version, as kagglehub takes it."""
        return f"{self.handle}/versions/{self.version}" if self.version else self.handle

    @property
    def page(self) -> str:
        """Where a browser finds it."""
        kind = "datasets" if self.version else "competitions"
        return f"https://www.kaggle.com/{kind}/{self.handle}"

    @property
    def folder(self) -> Path:
        """Where kagglehub unpacks it."""
        return _cache_folder() / ("datasets" if self.version else "competitions") / self.pinned

    def beside(self, suffix: str) -> Path:
        """Where kagglehub keeps `.archive` while it comes, and `.complete` when all is there."""
        near = self.folder.parent if self.version else self.folder
        return near.with_name(f"{self.folder.name}{suffix}")


# The versions are from public code, none was asked of Kaggle: many repositories read
# fer2013-folders, and three face-expression, from kagglehub's cache at versions/1; one links
# fer2013 as version/1. For human-face-emotions none was found, and 1 is what every set has.
_SETS = (
    KaggleSet(
        "fer2013",
        "ashishpatel26/facial-expression-recognitionferchallenge",
        version=1,
        title="FER2013 as one CSV with its three splits",
    ),
    KaggleSet(
        "face-expression",
        "jonathanoheix/face-expression-recognition-dataset",
        version=1,
        title="FER2013's faces as pictures, split into train and validation",
        note="It has as many images as FER2013, 35,887, split 28,821 to 7,066: a figure on its "
        "validation folder compares with neither PublicTest nor PrivateTest.",
    ),
    KaggleSet(
        "human-face-emotions",
        "sanidhyak/human-face-emotions",
        version=1,
        title="colour photographs of faces in a folder for each emotion",
        note="Photographs of many sizes, with fewer than seven emotions and no split of their own: "
        "read them with --detect.",
    ),
    KaggleSet(
        "fer2013-folders",
        "msambare/fer2013",
        version=1,
        title="FER2013 as pictures, split into train and test",
        note="Its test folder merges FER2013's PublicTest and PrivateTest, 7,178 images: a figure "
        "on it compares with neither.",
    ),
    KaggleSet(
        "fer-challenge",
        "challenges-in-representation-learning-facial-expression-recognition-challenge",
        version=None,
        title="the files of the competition that FER2013 was made for",
        note="Fetching it takes a Kaggle account that has accepted the competition's rules.",
    ),
)
KAGGLE_SETS = {found.name: found for found in _SETS}

_SIGN_IN = (
    "Make a token at https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN to it, or save "
    "it as ~/.kaggle/access_token; a kaggle.json in ~/.kaggle serves as well."
)
# What unpacking raises; ValueError is kagglehub's own, for what is neither zip nor tar.
_DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error)


def cached_folder(name: str) -> Path | None:
    """Returns the whole copy of a set in kagglehub's cache; None where there is none.

    Needs neither the network nor kagglehub. Whole is what kagglehub has marked so: a copy that
    was brought from another machine needs the mark, `<version>.complete`, to come with it.

    Raises:
        DataError: There is no set of this name.
    """
    if name not in KAGGLE_SETS:
        known = ", ".join(KAGGLE_SETS)
        raise DataError(f"There is no Kaggle set called {name!r}. Expected one of: {known}.")
    chosen = KAGGLE_SETS[name]
    whole = chosen.beside(".complete").exists() and chosen.folder.is_dir()
    return chosen.folder if whole else None


def fetch(name: str, *, progress: Progress = lambda _what, _share: None) -> Path:
    """Returns the folder of a set, after downloading it unless it is there.

    A download that breaks goes on where it stopped when asked for again. Of several processes
    that ask for a set one downloads it, and the others wait.

    Args:
        name: Of `KAGGLE_SETS`.
        progress: Gets what is being done and the share of the download that has come.

    Raises:
        DataError: There is no set of this name, or it cannot be fetched.
        MissingExtraError: kagglehub is not installed.
    """
    if folder := cached_folder(name):
        return folder
    if importlib.util.find_spec("kagglehub") is None:
        raise MissingExtraError("kagglehub", needed_for="fetching data sets", extra="train")
    progress(f"fetching {name}", 0.0)
    said = _download_elsewhere(name, progress)
    if folder := cached_folder(name):
        progress(f"fetched {name}", 1.0)
        return folder
    chosen = KAGGLE_SETS[name]
    raise DataError(
        f"Cannot fetch {name}: expected {chosen.pinned} from Kaggle. {said} Otherwise download it "
        f"in a browser from {chosen.page} and pass the zip with --data."
    )


def download(name: str) -> None:
    """Lets kagglehub download a set into its cache, in this process and as noisily as it likes.

    Raises:
        DataError: It cannot be fetched; the message says what was found and what to do.
    """
    import kagglehub  # type: ignore[import-untyped]
    import requests

    chosen = KAGGLE_SETS[name]
    try:
        signed_in = kagglehub.config.get_kaggle_credentials() is not None
    except (ValueError, OSError) as exc:
        raise DataError(f"Your credentials cannot be read: {exc}. {_SIGN_IN}") from exc
    run = kagglehub.dataset_download if chosen.version else kagglehub.competition_download
    try:
        with _lock(chosen.beside(".lock")):
            if cached_folder(name) is None:
                run(chosen.pinned)
    except kagglehub.exceptions.UnauthenticatedError as exc:
        raise DataError(_refusal(chosen, 401, signed_in=False)) from exc
    except requests.HTTPError as exc:
        status = exc.response.status_code if exc.response is not None else 0
        raise DataError(_refusal(chosen, status, signed_in=signed_in)) from exc
    except requests.RequestException as exc:
        raise DataError(f"There was no answer ({type(exc).__name__}). {_again(chosen)}") from exc
    except (kagglehub.exceptions.DataCorruptionError, *_DAMAGED) as exc:
        chosen.beside(".archive").unlink(missing_ok=True)
        what = " ".join(str(exc).split())
        raise DataError(f"What came is damaged: {what}. It was removed; try again.") from exc
    except OSError as exc:
        raise DataError(
            f"{_cache_folder()} cannot be written: {exc.strerror or exc}. Make room there, or set "
            "KAGGLEHUB_CACHE to another folder."
        ) from exc


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Lets one process at a time in; kagglehub alone would mix what two of them download."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download_elsewhere(name: str, progress: Progress) -> str:
    """Runs `download` in another process and returns the last that it said on stderr."""
    package = str(Path(__file__).resolve().parents[2])
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("TQDM_")},
        "TQDM_BAR_FORMAT": "fer-edge bar {n} {total}",
        "TQDM_MININTERVAL": "0",  # a line for each of kagglehub's chunks of 1 MiB
        # On Kaggle and Colab kagglehub would mount a set elsewhere, where it is not found again.
        "DISABLE_KAGGLE_CACHE": "true",
        "DISABLE_COLAB_CACHE": "true",
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-P", "-m", "fer_edge.data.kaggle", name]
    said = "kagglehub said nothing."
    with Popen(command, env=environment, stdout=DEVNULL, stderr=PIPE, text=True) as child:
        try:
            for line in filter(None, map(str.strip, child.stderr or ())):
                if bar := re.fullmatch(r"fer-edge bar (\d+) ([1-9]\d*)", line):
                    progress(f"fetching {name}", int(bar[1]) / int(bar[2]))
                else:
                    said = line
        finally:
            child.kill()
    return said


def _cache_folder() -> Path:
    """Returns kagglehub's cache, found as kagglehub finds it."""
    chosen = os.environ.get("KAGGLEHUB_CACHE")
    return Path.home() / ".cache" / "kagglehub" if chosen is None else Path(chosen)


def _refusal(chosen: KaggleSet, status: int, *, signed_in: bool) -> str:
    """Says what it means that Kaggle answered with this status, and what to do."""
    rules = "" if chosen.version else f" Accept the rules at {chosen.page}/rules with your account."
    if status in (401, 403) and not signed_in:
        return f"It takes an account, or was withdrawn ({status}). {_SIGN_IN}{rules}"
    meanings = {
        401: f"It does not accept your token or key (401). {_SIGN_IN}",
        403: f"It refuses your account (403).{rules or ' Its owner may have closed it.'}",
        404: "It is not there (404); see what is there now.",
    }
    return meanings.get(status, f"It answered {status}. Try again later.")


def _again(chosen: KaggleSet) -> str:
    """Says what to do where no answer came: a second try, or a mark for a copy that is here."""
    archive, mark = chosen.beside(".archive"), chosen.beside(".complete")
    if archive.is_file():
        size_mib = archive.stat().st_size / 2**20
        return f"Try again: the {size_mib:.1f} MiB that came are kept, and it goes on from there."
    if chosen.folder.is_dir():
        return f"If {chosen.folder} is a whole copy, make the empty file {mark} to say so."
    return "Check the network, and HTTPS_PROXY where there is a proxy, and try again."


if __name__ == "__main__":
    try:
        download(sys.argv[1])
    except DataError as error:
        sys.exit(str(error))
