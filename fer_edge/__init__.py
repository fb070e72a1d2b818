"""fer-edge: labelled face images in, a verified int8 expression model out.

Importing this package imports nothing: every command and library call imports what it needs.
"""

__version__ = "0.1.0"
