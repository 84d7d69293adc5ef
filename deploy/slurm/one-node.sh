#!/bin/bash
# A study on one node of a Slurm cluster. In the folder of the study:
#
#   sbatch one-node.sh experiments.yaml
#
#SBATCH --job-name=scalectl
#SBATCH --nodes=1
#SBATCH --cpus-per-task=8
##SBATCH --gpus-per-node=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@90
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=scalectl-%j.log
#
# Options of sbatch go before the name of this script, and before those above: sbatch --time=1:00:00 one-node.sh ...
# Where two marks stand before an option, take one away to use it.

# With exec the launch is the process that Slurm sends its signals to. It leaves checkpoints and ends; without exec the
# shell would end, and the launch might go on after the job.
exec scalectl launch "${@:-experiments.yaml}" --yes
