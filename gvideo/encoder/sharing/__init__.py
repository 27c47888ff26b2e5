"""What segments share: codebooks and start states, trained and coded anew."""
