"""Bytes: units with checksums, and headers. Standard library only; SYNTAX.md beside this file is normative.

signature | sequence unit | [index unit] | segment unit (+ layer units) | segment unit …
"""
