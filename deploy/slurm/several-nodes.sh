#!/bin/bash
# A study on several nodes of a Slurm cluster, as one Ray cluster. In the folder of the study, which all nodes see:
#
#   sbatch --nodes=4 several-nodes.sh experiments.yaml
#
#SBATCH --job-name=scalectl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
##SBATCH --gpus-per-node=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@90
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=scalectl-%j.log
set -euo pipefail

# Whoever knows the token may run code on the cluster. The home folder has it on all nodes.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$HOME/.ray/slurm_token" RAY_USAGE_STATS_ENABLED=0
if [ ! -s "$RAY_AUTH_TOKEN_PATH" ]; then
  (umask 077 && mkdir -p "$HOME/.ray" && python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")
fi

# The head runs on the first node. A port and a folder of the job's own keep two jobs on one node apart.
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export HEAD_IP HEAD_PORT=$((20000 + SLURM_JOB_ID % 10000))
HEAD_IP=$(getent ahostsv4 "$first" | awk '!/^127\./ && !seen++ {print $1}')
if [ -z "$HEAD_IP" ]; then # this is the first node, and knows itself as 127.0.1.1
  HEAD_IP=$(hostname -I | awk '{print $1}')
fi

# Slurm ends a job with SIGTERM to every process. Ray must not hear it: it has to be there until the jobs on it have
# left their checkpoints. So it is started with the signal blocked; Slurm kills it 30 seconds later.
hold() {
  exec python -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# What runs once on each node. Ray counts the CPUs of the machine, so the job's own are given to it.
node() {
  set -- --block --num-cpus "$SLURM_CPUS_PER_TASK" ${SLURM_GPUS_ON_NODE:+--num-gpus "$SLURM_GPUS_ON_NODE"}
  if [ "$SLURM_PROCID" = 0 ]; then
    hold ray start --head --node-ip-address "$HEAD_IP" --port "$HEAD_PORT" --include-dashboard false \
      --temp-dir "/tmp/ray-$SLURM_JOB_ID" "$@"
  fi
  until (exec 3<> "/dev/tcp/$HEAD_IP/$HEAD_PORT") 2> /dev/null; do sleep 1; done
  hold ray start --address "$HEAD_IP:$HEAD_PORT" "$@"
}
export -f hold node
# Since Slurm 22.05 srun has to be told the CPUs again: without that all workers of a node may share one.
(hold srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --output="ray-%j-%t.log" --open-mode=append bash -c node) &
ray=$!

# The launch begins when all nodes have joined.
until python - "$HEAD_IP:$HEAD_PORT" "$SLURM_JOB_NUM_NODES" 2> /dev/null << 'END'
import sys
import ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]))
END
do
  kill -0 "$ray" # ends this script where Ray has ended; its logs are ray-*.log
  sleep 2
done

# Slurm sends SIGUSR1 to this script alone, before the time limit: the launch leaves its checkpoints and ends, and the
# job goes back to the queue. On scancel each process has its own SIGTERM; this script only waits for the launch.
trap : TERM
scalectl launch "${@:-experiments.yaml}" --address "$HEAD_IP:$HEAD_PORT" --yes &
launch=$! again=
trap 'again=yes; kill -TERM "$launch"' USR1
while wait "$launch"; code=$?; kill -0 "$launch" 2> /dev/null; do :; done
wait "$launch" && code=0 || code=$?
if [ -n "$again" ] && [ "$code" = 130 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
