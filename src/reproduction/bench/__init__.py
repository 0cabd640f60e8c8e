"""``make bench``: how long things take, measured beside what one would use instead (see ``conf/bench.yaml``)."""
