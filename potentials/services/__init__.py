"""The only writers of this room, one module for each kind of object."""
