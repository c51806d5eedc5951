import os

result = os.listdir(other_scratch) != []
