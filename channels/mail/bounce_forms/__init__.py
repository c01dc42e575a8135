"""How mail servers write that a mail did not arrive: the standard reports, and a module for each family of others."""
