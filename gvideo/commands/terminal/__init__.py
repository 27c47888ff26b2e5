"""What people and programs see of a running command: messages, a line of progress, figures for Prometheus."""
