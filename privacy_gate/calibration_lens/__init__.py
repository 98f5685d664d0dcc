"""The calibration lens: what the same attacks find once the model is better calibrated.

Hintersdorf, Struppek and Kersting (IJCAI 2022) observe that calibrating a model lowers the false
alarms of an attack and can make members easier to recognise. Which of both happens cannot be told
from a calibration error, so it is measured: the answers are rescaled by a temperature, and blurred
by a last-layer Laplace approximation, both fitted on the calibration split only, and attacked anew.
"""
