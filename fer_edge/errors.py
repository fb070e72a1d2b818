"""Every error a caller can act on.

FerEdgeError
├── DataError            labelled images that cannot be read, or say something impossible
├── ConfigError          a recipe or option with a wrong name, type or range
├── OutputError          a place that cannot be written, or that already holds a result
├── ModelFormatError     a model or manifest that is damaged or breaks the contract
├── ConversionError      a model that could not become the asked-for artifact
│   └── EnvironmentNotMadeError   its program's dependencies could not be installed
├── MissingExtraError    a package of an optional install is absent
├── MissingProgramError  a program that is no Python package is absent: a browser, a built page
├── EngineError          a runtime that could not run a model, or did not answer
├── CameraError          a frame source that cannot be opened or stopped answering
│   └── CameraGoneError           it did not answer again in the time it was given
└── GateError            a measured figure misses the gate that was set for it

Messages say what was expected, what was found and what to do.
"""


class FerEdgeError(Exception):
    """Base of all errors that fer-edge raises on purpose."""


class DataError(FerEdgeError):
    """Labelled images cannot be read, or they say something impossible."""


class ConfigError(FerEdgeError):
    """A recipe or option has a wrong name, type or range."""


class OutputError(FerEdgeError):
    """A result cannot be written, or would overwrite one that exists."""


class ModelFormatError(FerEdgeError):
    """A model or its manifest is damaged or breaks the contract."""


class ConversionError(FerEdgeError):
    """A model could not be converted."""


class EnvironmentNotMadeError(ConversionError):
    """The environment that a converter program runs in could not be made."""


class MissingExtraError(FerEdgeError):
    """A package of an optional install is absent.

    Args:
        package: The distribution that could not be imported.
        needed_for: What it is needed for, as the end of a sentence.
        extra: The extra that brings it.
    """

    def __init__(self, package: str, *, needed_for: str, extra: str = "train") -> None:
        what = f"'fer-edge[{extra}]'" if extra else package
        super().__init__(
            f"{package} is needed for {needed_for}, and it is not installed. "
            f"Install it with: pip install {what}"
        )


class MissingProgramError(FerEdgeError):
    """A program that is no Python package is absent."""


class EngineError(FerEdgeError):
    """A runtime could not run a model, or did not answer."""


class CameraError(FerEdgeError):
    """A frame source cannot be opened or stopped answering."""


class CameraGoneError(CameraError):
    """A live source gave no frame for so long that waiting for it was given up."""


class GateError(FerEdgeError):
    """A measured figure misses its gate."""
