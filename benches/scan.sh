#!/usr/bin/env bash
# Compares a scan with all references resolved against programs that only add up sizes: the same tree, the same run,
# a warm page cache. Prints a table of ratios; there is nothing to pass or fail.
#
#   benches/scan.sh [DIR] [ROUNDS]
#
# DIR holds `cache` and `envs` as benches/corpus.py lays them out, and is made there (about 7 GB, some minutes) when it
# is missing. Peers are taken from PATH; those that are not there are named.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-${TMPDIR:-/tmp}/cachetui-bench}
rounds=${2:-5}
program=$here/target/release/cachetui

[ -x "$program" ] || cargo build --release --manifest-path "$here/Cargo.toml"
[ -d "$dir/cache" ] || python3 "$here/benches/corpus.py" "$dir"

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
missing=()
declare -A peers=(
  [du]="du -s $dir"
  [diskus]="diskus $dir"
  [pdu]="pdu --quantity block-size $dir"
  [dua]="dua --threads 0 $dir"
  [gdu]="gdu -npc $dir"
)
names=(cachetui)
for name in du diskus pdu dua gdu; do
  if command -v "$name" >/dev/null; then names+=("$name"); else missing+=("$name"); fi
done

command_of() {
  if [ "$1" = cachetui ]; then
    echo "env HOME=$state $program list --json --no-remember --cache-dir $dir/cache --root $dir/envs"
  else
    echo "${peers[$1]}"
  fi
}

# Everything once, so that each finds the page cache as warm as the others do; then in turns, so that a busy moment
# of the machine does not fall on one of them alone.
for name in "${names[@]}"; do $(command_of "$name") >/dev/null 2>&1 || true; done
for ((round = 0; round < rounds; round++)); do
  for name in "${names[@]}"; do
    # shellcheck disable=SC2046
    /usr/bin/time -f "$name %e %U %S %M" -a -o "$state/times" $(command_of "$name") >/dev/null 2>&1
  done
done

awk -v rounds="$rounds" '
  { wall[$1] = wall[$1] " " $2; cpu[$1] += $3 + $4; if ($5 > memory[$1]) memory[$1] = $5 }
  function median(text,   n, parts, i, j, t) {
    n = split(text, parts, " ")
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (parts[j] + 0 < parts[i] + 0) { t = parts[i]; parts[i] = parts[j]; parts[j] = t }
    return parts[int((n + 1) / 2)]
  }
  END {
    own = median(wall["cachetui"])
    printf "%-10s %12s %10s %12s %10s\n", "program", "median wall", "cpu", "peak memory", "wall/ours"
    for (name in wall) printf "%-10s %10.2f s %8.2f s %9.1f MB %10.2f\n", name, median(wall[name]), cpu[name] / rounds, memory[name] / 1024, median(wall[name]) / own | "sort -k2n"
  }' "$state/times"
if [ ${#missing[@]} -gt 0 ]; then echo "not installed, not compared: ${missing[*]}"; fi
