"""gvideo: a video codec made of moving 2D Gaussians."""
