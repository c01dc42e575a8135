"""Who may know of a confidential case, in SQL: the one wording for every query that shows what may belong to one.

A confidential case exists for its owner, its members and the people of its team; for everybody else neither it nor what
belongs to it does (promise 8).

OFFSET 0 keeps the planner from reading all cases into a table at the first row of a list: a page has few rows.
"""

from __future__ import annotations


def has_part(case: str, viewer: str) -> str:
    """SQL that tells whether a user (`viewer`, such as `$1`) is one of the people of a case (`case`, a column)."""
    return f"""({case} IS NOT NULL AND EXISTS (
  SELECT FROM cases its_case WHERE its_case.id = {case} AND {_people("its_case", viewer)} OFFSET 0))"""


def hides(case: str, viewer: str) -> str:
    """SQL that tells whether the case is confidential and the user none of its people; false where there is no case."""
    return f"""({case} IS NOT NULL AND EXISTS (
  SELECT FROM cases its_case WHERE its_case.id = {case} AND its_case.confidential
  AND NOT {_people("its_case", viewer)} OFFSET 0))"""


def _people(row: str, viewer: str) -> str:
    return f"""(coalesce({row}.owner_id = {viewer}, false)
   OR EXISTS (SELECT FROM case_members its_member WHERE its_member.case_id = {row}.id AND its_member.user_id = {viewer}
              OFFSET 0)
   OR EXISTS (SELECT FROM team_members its_member
              WHERE its_member.team_id = {row}.team_id AND its_member.user_id = {viewer} OFFSET 0))"""


def visible(row: str, viewer: str) -> str:
    """SQL for lists of cases: whether the user may know of the case in `row`, an alias of the table `cases`."""
    return f"(NOT {row}.confidential OR {_people(row, viewer)})"
