"""Where segments begin: cuts and longest durations."""
