"""Turns events into work: rules, cases, tasks, assignment, working time, timers, escalation."""
