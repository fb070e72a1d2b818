"""An int8 model as Android's libraries take it: RGB in, its labels and metadata inside."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import ANDROID_ASSET, INPUT_SHAPE
from fer_edge.converter import run_converter
from fer_edge.data.sample import sample_dataset
from fer_edge.errors import ConversionError, MissingProgramError
from fer_edge.runtime import Interpreter

FOLDER = "android"
LABELS = "labels.txt"


def write_android(
    folder: Path, name: str, emotions: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Leaves an export's int8 model for Android in its folder `android`; returns the record.

    Args:
        folder: Holds `int8.tflite`.
        name: Of the model.
        emotions: What its answers mean.
        say: Told what happens.

    Raises:
        ConversionError: The program failed, or the asset does not answer like the int8 model.
    """
    say("converting for Android")
    out = folder / FOLDER
    out.mkdir()
    (out / LABELS).write_text("".join(f"{emotion}\n" for emotion in emotions), "utf-8")
    arguments = ["--int8", str(folder / "int8.tflite"), "--labels", str(out / LABELS)]
    answer = run_converter(
        "android", [*arguments, f"--name={name}", "--out", str(out / ANDROID_ASSET)], say=say
    )
    check_asset((out / ANDROID_ASSET).read_bytes(), (folder / "int8.tflite").read_bytes())
    (out / "README.md").write_text(_readme(name, emotions), "utf-8")
    return {"program": "android.py", **answer["versions"]}


def check_asset(asset: bytes, int8: bytes) -> None:
    """Raises ConversionError unless an asset gives an int8 model's bits, on drawn gray faces."""
    faces = sample_dataset(n_per_class=(1, 1, 4)).split("test").images
    expected = Interpreter(int8).probabilities(faces[..., None])
    found = Interpreter(asset).probabilities(as_rgb(faces))
    if not np.array_equal(found, expected):
        raise ConversionError(
            "The Android asset answers otherwise than the int8 model: expected the same bits on "
            f"{len(faces)} drawn faces, found {np.abs(found - expected).max():.4f} between them."
        )


def as_rgb(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns gray faces, uint8 (n, 48, 48), as (n, 48, 48, 3)."""
    return np.repeat(faces[..., None], 3, axis=-1)


def classify_with_mediapipe(
    asset: bytes, faces: NDArray[np.uint8], say: Callable[[str], None]
) -> NDArray[np.float32]:
    """Returns (n, k) probabilities of an asset by MediaPipe Tasks' ImageClassifier.

    Args:
        asset: Its bytes.
        faces: RGB, uint8 (n, h, w, 3).
        say: Told what is downloaded, the first time.

    Raises:
        EnvironmentNotMadeError: MediaPipe could not be installed.
        MissingProgramError: This machine lacks the graphics libraries that it loads.
        ConversionError: It refused the asset.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / ANDROID_ASSET).write_bytes(asset)
        np.save(folder / "faces.npy", faces)
        arguments = ["--model", str(folder / ANDROID_ASSET), "--faces", str(folder / "faces.npy")]
        try:
            arguments += ["--out", str(folder / "answers.npy")]
            run_converter("mediapipe_answers", arguments, say=say)
        except ConversionError as exc:
            if "cannot open shared object file" in str(exc):
                raise MissingProgramError(
                    "MediaPipe loads libEGL and libGLESv2, and they are not here. On Debian and "
                    "Ubuntu: apt install libegl1 libgles2."
                ) from exc
            raise
        answers: NDArray[np.float32] = np.load(folder / "answers.npy", allow_pickle=False)
        return answers


def _readme(name: str, emotions: Sequence[str]) -> str:
    side = INPUT_SHAPE[1]
    return f"""# {name} for Android

`{ANDROID_ASSET}` takes RGB, uint8, 1 × {side} × {side} × 3, 0–255 as a bitmap has it, and answers
{len(emotions)} probabilities, uint8 in steps of 1/256: {", ".join(emotions)}. Nothing has to be
normalised, and the labels are inside. Put it into `app/src/main/assets`. Its first operator makes
gray of RGB; behind it stands `int8.tflite` as it is: a gray face gets the same bits from both.

A face is a square from above the brows to below the chin, as OpenCV's Haar cascade frames one:
the training images were cut like that. Give that square alone, as a bitmap of any size or as the
region of interest of a larger one.

## MediaPipe Tasks

```kotlin
// build.gradle.kts: implementation("com.google.mediapipe:tasks-vision:latest.release")
val classifier = ImageClassifier.createFromOptions(
    context,
    ImageClassifier.ImageClassifierOptions.builder()
        .setBaseOptions(BaseOptions.builder().setModelAssetPath("{ANDROID_ASSET}").build())
        .setRunningMode(RunningMode.IMAGE)
        .build(),
)
val square = RectF(left, top, right, bottom) // of the face, as shares of width and height: 0 to 1
val result = classifier.classify(
    BitmapImageBuilder(bitmap).build(),
    ImageProcessingOptions.builder().setRegionOfInterest(square).build(),
)
val best = result.classificationResult().classifications().first().categories().first()
println("${{best.categoryName()}} ${{best.score()}}")
```

## LiteRT's interpreter

```kotlin
// build.gradle.kts: implementation("com.google.ai.edge.litert:litert:1.4.0")
val labels = context.assets.open("{LABELS}").bufferedReader().readLines()
val model = context.assets.open("{ANDROID_ASSET}").use {{ it.readBytes() }}
val interpreter = Interpreter(
    ByteBuffer.allocateDirect(model.size).order(ByteOrder.nativeOrder()).apply {{ put(model) }},
)
val face = Bitmap.createScaledBitmap(crop, {side}, {side}, true)
val pixels = IntArray({side} * {side})
face.getPixels(pixels, 0, {side}, 0, 0, {side}, {side})
val input = ByteBuffer.allocateDirect({side} * {side} * 3)
for (pixel in pixels) {{
    input.put((pixel shr 16).toByte()).put((pixel shr 8).toByte()).put(pixel.toByte())
}}
input.rewind()
val output = Array(1) {{ ByteArray(labels.size) }}
interpreter.run(input, output)
val best = labels.indices.maxBy {{ output[0][it].toInt() and 0xff }}
println("${{labels[best]}} ${{(output[0][best].toInt() and 0xff) / 256f}}")
```

## Building

Models are mapped into memory, so they have to be stored as they are. Android's build does that for
`.tflite`; where it was changed:

```kotlin
android {{ androidResources {{ noCompress += "tflite" }} }}
```

With R8, MediaPipe needs its classes and those of protocol buffers, in `proguard-rules.pro`:

```
-keep class com.google.mediapipe.** {{ *; }}
-keep class com.google.protobuf.** {{ *; }}
-dontwarn com.google.mediapipe.proto.**
-dontwarn com.google.auto.value.**
-dontwarn autovalue.shaded.**
-dontwarn javax.lang.model.**
```

The asset is tested with MediaPipe Tasks in Python, whose loader is the one that Android has. The
Kotlin above was not built by the tests.
"""
