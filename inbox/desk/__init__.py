"""What people do with conversations: answer, assign, move, judge, place."""
