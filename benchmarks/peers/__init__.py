"""The gateways that ours is measured against, each over the same upstream, with the same question."""
