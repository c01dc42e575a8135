"""Who is offered a task: steps, turns, absences, capacity. The decisions are pure; rota.py and offers.py touch tables."""
