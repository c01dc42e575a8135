"""Cases: business matters with a type, stages, people and fields; what belongs to them, and the work that they take."""
