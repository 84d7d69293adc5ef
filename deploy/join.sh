#!/bin/bash
# Makes machines one Ray cluster: run it on each of them, with the address of the one that is the head.
#
#   bash join.sh 10.0.0.7
#
# Options after the address go to `ray start`, such as --num-gpus 8. ~/.ray/auth_token has to be the same on all.
set -euo pipefail
head=${1:?give the address of the head}
shift
if ! command -v ray > /dev/null; then # as in `ssh HOST COMMAND`, where no environment is active
  PATH="$HOME/.venv/bin:$HOME/.local/bin:$PATH"
fi
if ! command -v ray > /dev/null || ! command -v python > /dev/null; then
  echo "no ray and python on the path: put the environment that has scalectl into ~/.venv, or name its bin in PATH" >&2
  exit 1
fi
if [ ! -s "$HOME/.ray/auth_token" ]; then
  echo "no token: put one file ~/.ray/auth_token, of mode 600, on all machines" >&2
  exit 1
fi
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
if python -c 'import socket, sys; socket.socket().bind((sys.argv[1], 0))' "$head" 2> /dev/null; then
  exec ray start --head --node-ip-address "$head" --port 6379 "$@"
fi
until (exec 3<> "/dev/tcp/$head/6379") 2> /dev/null; do sleep 1; done
exec ray start --address "$head:6379" "$@"
