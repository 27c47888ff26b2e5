"""The signal model: what symbols mean (steps), how Gaussians move (motion), and how both become numbers to render."""
