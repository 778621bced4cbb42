"""People, labs, roles, tokens, and who may see what; knows nothing of science."""
