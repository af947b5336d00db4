"""What policies come to, for those who change them: what a change does, whose data it opens, why a decision is so."""
