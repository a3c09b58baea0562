"""What is wrong or doubtful in a folder, before anything is run."""
