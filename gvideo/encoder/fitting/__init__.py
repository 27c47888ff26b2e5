"""Growing and training the Gaussians of a segment."""
