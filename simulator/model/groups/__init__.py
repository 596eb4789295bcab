"""Applications and waves, and the inventory files that bring servers into them."""
