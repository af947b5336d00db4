"""The schemes by which a manifest's connection shows an agency whose requests are ours."""
