"""The window of `gvideo play`: events in, pictures and sound out, by SDL."""
