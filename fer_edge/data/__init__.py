"""Labelled images in: sources, formats, cleaning, augmentation and the drawn sample."""
