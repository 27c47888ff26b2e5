"""Encodes as a whole: segments to workers and back, files and live streams."""
