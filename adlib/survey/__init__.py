"""A look at a table that nobody has configured yet, and a configuration to start from.

`glimpse` reads a bounded number of rows, `columns` types them, `names` reads what names say,
`roles` guesses what each column is and says why, `kinds` does of features, `windows` suggests what
an entity's past may tell; `found` is what comes out, `draft` writes it as commented YAML,
`printing` as a short table.
"""

from adlib.survey.draft import Place, draft
from adlib.survey.found import Guess, Role, Survey
from adlib.survey.glimpse import Glimpse, take_glimpse
from adlib.survey.printing import print_survey
from adlib.survey.roles import survey

__all__ = [
    "Glimpse",
    "Guess",
    "Place",
    "Role",
    "Survey",
    "draft",
    "print_survey",
    "survey",
    "take_glimpse",
]
