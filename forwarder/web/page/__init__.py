"""The page: what an operator sees in a browser. Rendered here, from templates and static files in this package."""
