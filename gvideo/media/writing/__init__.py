"""Video out: the destination's name says what is written."""
