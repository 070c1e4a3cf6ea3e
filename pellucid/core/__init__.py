"""What any room may use: files, progress, numbers, statistics, blur, random draws.

Nothing here knows of models, explanations or methods.
"""
