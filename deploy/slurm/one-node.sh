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
#SBATCH --signal=B:USR1@90
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=scalectl-%j.log
#
# Options of sbatch go before the name of this script, and before those above: sbatch --time=1:00:00 one-node.sh ...
# Where two marks stand before an option, take one away to use it.

# Slurm sends SIGUSR1 to this script alone, before the time limit: the launch leaves its checkpoints and ends, and the
# job goes back to the queue. On scancel each process has its own SIGTERM; this script only waits for the launch.
trap : TERM
scalectl launch "${@:-experiments.yaml}" --yes &
launch=$! again=
trap 'again=yes; kill -TERM "$launch"' USR1
while wait "$launch"; code=$?; kill -0 "$launch" 2> /dev/null; do :; done
wait "$launch" && code=0 || code=$?
if [ -n "$again" ] && [ "$code" = 130 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
