"""The administration of policies: `/admin/graphql`, a schema of its own, for those who keep the rules."""
