"""What a file's name says: the agent, and the child.

Kaggle    person1_bacteria_2.jpeg, person447_virus_921_1.jpeg, IM-0115-0001.jpeg,
          NORMAL2-IM-0173-0001-0002.jpeg
Mendeley  BACTERIA-1008087-0001.jpeg, VIRUS-..., NORMAL-... (version 3)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NORMAL, BACTERIA, VIRUS, UNKNOWN = range(4)
AGENTS = ("normal", "bacteria", "virus", "not recorded")
"""Word of each value of `agent`; the last is pneumonia whose agent no name tells."""
FOLDERS = ("NORMAL", "PNEUMONIA")
FORMS = (
    "personN_bacteria_M, personN_virus_M, IM-N-M, NORMAL2-IM-N-M, BACTERIA-N-M, VIRUS-N-M and NORMAL-N-M "
    "(.jpeg or .jpg)"
)

PERSON = re.compile(r"(person[0-9]+_(bacteria|virus))_[0-9]+(?:_[0-9]+)?")
SERIES = re.compile(r"((?:NORMAL[0-9]*-)?IM-[0-9]+)(?:-[0-9]+){1,2}")
RECORD = re.compile(r"(BACTERIA|VIRUS|NORMAL)-([0-9]+)-[0-9]+")


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of one image says."""

    agent: int
    patient: str


def parse(stem: str) -> Named | None:
    """Read a file's name without its ending; None for an unknown form.

    Kaggle numbers the children of each agent anew, so personN alone is two children: the patient is
    personN with the agent. Of the normal films the series number is the child's, apart for IM-
    and NORMAL2-IM-. Mendeley's number is one of the hospital's, whatever the diagnosis.
    """
    if match := PERSON.fullmatch(stem):
        return Named(AGENTS.index(match[2]), match[1])
    if match := SERIES.fullmatch(stem):
        return Named(NORMAL, match[1])
    if match := RECORD.fullmatch(stem):
        return Named(AGENTS.index(match[1].lower()), f"record {match[2]}")
    return None
