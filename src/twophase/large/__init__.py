"""What only very large zoos need: compiled and blocked Eq. 1, sampled clustering, growing clusters, a recall index."""
