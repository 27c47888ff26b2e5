"""How a segment moves: optical flow, tracks, the codebook of trajectories."""
