"""Segments to pictures and sound at their time, with no window: all of it runs in tests."""
