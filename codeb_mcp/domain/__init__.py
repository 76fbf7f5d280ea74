"""Plain frozen types: the words of the project. No input or output happens here."""
