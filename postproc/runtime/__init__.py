"""What every program needs and no packet knows: errors, signals, workers, files, safe text. It uses no other room."""
