"""Where fits run: the seam, and the CPU and a GPU behind it."""
