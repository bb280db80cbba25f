"""Events as TensorBoard's own library frames them: event_file.bin.

    pip install tensorboard
    python tests/golden/event_file.py
"""

from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

value = summary_pb2.Summary.Value
events = [
    event_pb2.Event(wall_time=1.5, file_version="brain.Event:2"),
    event_pb2.Event(
        wall_time=1.5,
        step=300,
        summary=summary_pb2.Summary(
            value=[value(tag="map_loss", simple_value=0.25), value(tag="cost", simple_value=-3.0)]
        ),
    ),
    event_pb2.Event(
        wall_time=1.5,
        step=301,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
    ),
]
with open(Path(__file__).with_suffix(".bin"), "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
