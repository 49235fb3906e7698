"""Reader study (Visual Turing Test): its folder, its key and its answers.

Data flow: lesions → matching → division → presentations → packing make a study (``design``); readers answer
(``session``, ``answers``); numbers come from study, answers and key (``analysis``). The positive class is
"synthetic" throughout.
"""

from freetumor.study.answers import AnswerLog, read_answers
from freetumor.study.key import Key, KeyedCase, read_key
from freetumor.study.record import Presentation, Study, StudyCase, read_study

__all__ = [
    "AnswerLog",
    "Key",
    "KeyedCase",
    "Presentation",
    "Study",
    "StudyCase",
    "read_answers",
    "read_key",
    "read_study",
]
