"""Video in: opened sources of every kind to frames of one form, with exact times."""
