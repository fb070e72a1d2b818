"""What a model eats and answers, in one place. Written into every artifact, read by every client."""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Class names in label order. Source: FER2013, arXiv:1307.0414."""

INPUT_SHAPE = (1, 48, 48, 1)
"""One gray face, batch first, channel last; uint8, 0-255. Scaling happens inside the graph."""
