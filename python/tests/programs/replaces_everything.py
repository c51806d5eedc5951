"""Breaks what a careless runner would need for its report."""
import json
import os
import sys
import traceback

sys.stdout.close()
sys.stderr = None
json.dumps = json.JSONEncoder.encode = os.write = traceback.TracebackException = None
sys.modules.clear()
result = 42
