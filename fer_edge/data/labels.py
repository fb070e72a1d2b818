"""One table of what people call the emotions, and the splits, in folder names."""

import re
import unicodedata

from fer_edge.contract import EMOTIONS
from fer_edge.data.split import SplitName

CONTEMPT = "contempt"
"""FER+'s eighth class. Source: Barsoum et al., arXiv:1608.01041."""

ALL_EMOTIONS = (*EMOTIONS, CONTEMPT)
"""Every label there can be, in label order; a data set has those that occur in it."""

SPELLINGS: dict[str, tuple[str, ...]] = {
    "angry": ("angry", "anger", "angery", "mad"),
    "disgust": ("disgust", "disgusted", "disgusting", "disguist"),
    "fear": ("fear", "fearful", "fearfull", "feared", "afraid", "scared"),
    "happy": ("happy", "happiness", "happyness", "joy", "joyful", "smile", "smiling"),
    "sad": ("sad", "sadness", "sadnes", "unhappy"),
    "surprise": ("surprise", "surprised", "suprise", "suprised", "surprize", "surprized"),
    "neutral": ("neutral", "neutrality", "natural", "nuetral"),
    "contempt": ("contempt", "contemptuous"),
}

SPLIT_SPELLINGS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training", "trainset", "trainingset"),
    "validation": ("validation", "valid", "val", "dev", "publictest", "validationset"),
    "test": ("test", "testing", "privatetest", "testset", "eval"),
}

_EMOTION_OF = {spelling: name for name, all_ in SPELLINGS.items() for spelling in all_}
_SPLIT_OF = {spelling: name for name, all_ in SPLIT_SPELLINGS.items() for spelling in all_}


def emotion_of(folder: str) -> str | None:
    """Returns the emotion that a folder's name means, or None.

    Case, accents, digits in front and punctuation do not count: `3_Happy!` is happy.
    """
    return _EMOTION_OF.get(_plain(folder))


def split_of(folder: str) -> SplitName | None:
    """Returns the split that a folder's name means, or None; read as `emotion_of` reads."""
    return _SPLIT_OF.get(_plain(folder))


def labels_present(emotions: set[str]) -> tuple[str, ...]:
    """Returns emotions in label order."""
    return tuple(emotion for emotion in ALL_EMOTIONS if emotion in emotions)


def _plain(name: str) -> str:
    """Returns a name's letters, in lower case and without accents."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[^a-z]", "", apart)
