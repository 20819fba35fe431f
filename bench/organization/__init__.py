"""How gatewatch does in an organization: a sweep against the stand-in, its memory, and a model of both.

| file | what it is |
|---|---|
| `part.py` | `make bench PART=organization`: measures, and compares with the model |
| `hub.py` | a hub with several processes, and the scheduled check as the state machine runs it |
| `model.py` | how long a sweep takes; `python -m bench.organization.model` prints all that follows from the model |
| `costs.py` | what it costs a month |
| `limits.py` | which limit an organization reaches first |
| `tables.py` | all of that as Markdown |
| `measured.json` | what was measured last: the input of the model, unless it gets another file |

`test_model.py` has the tests of the pure part, which `make test` runs too.
"""
