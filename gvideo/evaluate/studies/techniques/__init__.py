"""Every technique of the field that the project has been asked about, each switchable and measured against the default."""
