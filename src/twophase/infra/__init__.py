"""What surrounds the method: configuration, the parallel map, the store, one style of figure."""
