"""Readings of a machine: what is out of the ordinary, and one line per hour. Runs in RESTRICTED mode."""

import statistics
from collections import deque
from itertools import groupby

WINDOW = 288  # a day of five-minute readings
SIGMAS = 4

window = deque(maxlen=WINDOW)
anomalies = []
for when, value in readings:
    if len(window) >= 12:
        mean, deviation = statistics.fmean(window), statistics.pstdev(window)
        if deviation > 0 and abs(value - mean) > SIGMAS * deviation:
            anomalies.append({"at": when, "value": round(value, 2), "mean": round(mean, 2), "deviation": round(deviation, 2)})
    window.append(value)

hours = []
for hour, group in groupby(readings, key=lambda reading: reading[0][:13]):
    values = [value for _, value in group]
    hours.append({"hour": hour, "mean": round(statistics.fmean(values), 2), "low": round(min(values), 2), "high": round(max(values), 2)})

print(f"{len(readings)} readings, {len(hours)} hours, {len(anomalies)} beyond {SIGMAS} sigma")
result = {"readings": len(readings), "anomalies": anomalies, "hours": hours}
