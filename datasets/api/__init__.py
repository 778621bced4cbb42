"""The room over HTTP: the same selectors and services as the pages."""
