"""Pages of the room: parse, one service or selector, render."""
