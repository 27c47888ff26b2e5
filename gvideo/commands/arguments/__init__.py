"""The command line: its parser, values of options, files of options, and which option serves which output."""
