"""The browser demo as people meet it: the built page in a real Chromium."""
