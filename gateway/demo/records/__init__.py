"""What each agency knows of the nation, written in that agency's own names, codings and dirt. One module an agency."""
