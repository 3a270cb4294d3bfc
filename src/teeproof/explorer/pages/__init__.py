"""The pages, one module for each family; each page has a twin that ends in ``.json``."""
