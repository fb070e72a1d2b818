"""The sample's faces: people (who, which muscles), portrait (their shapes), paint (pixels)."""
