"""What is wrong or doubtful in a folder, found before anything is run."""
