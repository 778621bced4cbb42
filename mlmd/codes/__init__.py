"""External programs, one file each: inputs written, a `Launch` composed, outputs read."""
