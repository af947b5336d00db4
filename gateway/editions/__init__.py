"""What is in force: the policy, what agencies supply, and all that is made of both, replaced as a whole."""
