"""Pages: parse, one service or selector, render."""
