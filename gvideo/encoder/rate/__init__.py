"""Rate control: the model of bits, the buffer, the search, one pass for live streams."""
