#!/usr/bin/env bash
# A study as a SLURM job array, a row a task; then, after the last one, its tables:
#   sbatch --array=1-60 job_array.sh study.csv results
#   ceinms-torch cohort study.csv --out results
#SBATCH --job-name=ceinms-torch
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=01:00:00
set -euo pipefail
ceinms-torch cohort "$1" --out "$2" --row "$SLURM_ARRAY_TASK_ID" ${3+"${@:3}"}
