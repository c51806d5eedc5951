result = {"a": [1, 2]}
result["a"].append(result)
