"""What a policy, or a change of one, means: compared, explained, replayed."""
