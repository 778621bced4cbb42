"""DFT runs: structures go out, labelled frames come into a dataset."""
