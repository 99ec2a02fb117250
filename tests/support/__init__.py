"""What tests share: captures made by hand or by chance, programs to run, and both engines side by side."""
