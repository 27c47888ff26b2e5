"""The origin: a published folder over HTTP."""
