"""What the page answers against what Python answers, and that it does not leak."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.catalog import find_source
from fer_edge.contract import EMOTIONS
from fer_edge.faces import FaceBox, crop_face
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.site import HEADERS, Site
from tests.load_script import load_script
from tests.web_demo.blazeface import FOLDER as BLAZEFACE
from tests.web_demo.blazeface import BlazeFace
from tests.web_demo.page import PORTRAITS, READY_MS, ROOT, decoded, png, scene, serving

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shipped() -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """The shipped float network: faces, uint8 (n, 48, 48), to probabilities."""
    pytest.importorskip("keras")
    path = find_source("small").network
    assert path is not None
    network = load_network(path)
    return lambda faces: softmax(logits_of(network, faces))


READ = """async (names) => {
  const { load } = await import('./fer-edge.js');
  const fer = await load('./model/');
  const read = [];
  for (const name of names) {
    const image = new Image();
    image.src = name;
    await image.decode();
    read.push((await fer.readFaces(image)).faces);
  }
  fer.dispose();
  return read;
}"""


def read_in_page(
    context: "BrowserContext", dist: Path, pictures: dict[str, bytes]
) -> list[list[dict[str, Any]]]:
    """Returns what the library says of pictures, in a page of somebody else's."""
    blank = b"<!doctype html><meta charset=utf-8><title>Somebody's page</title>"
    with serving(Site(dist, pictures | {"mine.html": blank}, HEADERS)) as url:
        page = context.new_page()
        page.goto(f"{url}mine.html")
        page.set_default_timeout(READY_MS)
        read: list[list[dict[str, Any]]] = page.evaluate(READ, list(pictures))
        return read


def test_fifty_faces_are_read_as_python_reads_the_same_crops(
    context: "BrowserContext",
    dist: Path,
    shipped: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> None:
    images = [
        scene(seed, EMOTIONS[seed % 7], EMOTIONS[seed // 7 % 7], face_px=110 + seed)
        for seed in range(30)
    ]
    pictures = {f"{i}.png": png(image) for i, image in enumerate(images)}
    crops, found = [], []
    for image, faces in zip(images, read_in_page(context, dist, pictures), strict=True):
        for face in faces:
            box = face["box"]
            square = FaceBox(box["x"], box["y"], box["width"], box["height"], box["score"])
            crops.append(crop_face(image, square))
            found.append(face["answer"]["probabilities"])
    assert len(crops) >= 50
    expected = shipped(np.stack(crops))
    assert np.abs(np.array(found) - expected).max() <= 0.01
    assert (np.array(found).argmax(1) == expected.argmax(1)).all()
    assert len(set(expected.argmax(1))) >= 5  # the faces are not all alike


def test_nothing_of_the_last_picture_shows_through(context: "BrowserContext", dist: Path) -> None:
    face = scene(3, "happy")
    glass = np.zeros((*face.shape[:2], 4), np.uint8)  # as large, and transparent
    read = read_in_page(context, dist, {"face.png": png(face), "glass.png": png(glass)})
    assert [len(faces) for faces in read] == [1, 0]


def test_photographs_are_read_as_python_reads_them_from_the_file_on(
    context: "BrowserContext",
    dist: Path,
    shipped: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> None:
    if not BLAZEFACE.is_dir():
        pytest.skip("the npm packages are not installed: no detector for Python")
    photographs = {path.name: path.read_bytes() for path in sorted(PORTRAITS.glob("*.jpg"))}
    for seed in range(20 - len(photographs)):
        image = scene(100 + seed, EMOTIONS[seed % 7], EMOTIONS[(seed + 3) % 7], face_px=170)
        photographs[f"{seed}.jpg"] = cv2.imencode(".jpg", image)[1].tobytes()
    detector = BlazeFace()
    read, n_faces = read_in_page(context, dist, photographs), 0
    for (name, content), faces in zip(photographs.items(), read, strict=True):
        image = decoded(content)
        boxes = detector.detect(image)
        assert len(boxes) == len(faces), name
        n_faces += len(faces)
        if not faces:  # half out of the picture, and too doubtful for both
            continue
        expected = shipped(np.stack([crop_face(image, box) for box in boxes]))
        found = np.array([face["answer"]["probabilities"] for face in faces])
        assert np.abs(found - expected).max() <= 0.01, name
    assert n_faces >= 20


def test_five_hundred_frames_leave_no_tensor_behind(context: "BrowserContext", dist: Path) -> None:
    count = """async () => {
      const { load } = await import('./fer-edge.js');
      const fer = await load('./model/');
      const image = new Image();
      image.src = 'face.png';
      await image.decode();
      await fer.readFaces(image);
      const before = fer.tensors;
      let n = 0;
      for (let i = 0; i < 500; i++) n += (await fer.readFaces(image)).faces.length;
      return { before, after: fer.tensors, n };
    }"""
    blank = b"<!doctype html><title>frames</title>"
    files = {"mine.html": blank, "face.png": png(scene(3, "happy"))}
    with serving(Site(dist, files, HEADERS)) as url:
        page = context.new_page()
        page.goto(f"{url}mine.html")
        page.set_default_timeout(300_000)
        found = page.evaluate(count)
    assert found["n"] == 500
    assert found["before"] == found["after"] > 50


@pytest.mark.parametrize("name", ["crops.json", "answers.json"])
def test_the_golden_vectors_are_pythons(name: str) -> None:
    document = load_script("golden").documents()[name]
    written = json.loads((ROOT / "tests/golden" / name).read_text())
    assert written == json.loads(json.dumps(document))
