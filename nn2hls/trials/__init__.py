"""One network in many settings, run on local cores or a cluster: what scan and search share."""
