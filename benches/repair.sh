#!/usr/bin/env bash
# Compares mending a symlinked environment of 60 distributions with what uv does about it: installing all of it anew,
# offline, from the same cache. Its cache was moved, or was cleaned and has been filled again, so that the entries have
# other names and every file has to be hashed. The same environment, the same run, in turns. Prints both; there is nothing
# to pass or fail.
#
#   benches/repair.sh [ROUNDS] [FILES] [MODE…]
#
# The files are made by each MODE: symlink, copy, clone and hardlink, if none is named. Hardlinks come last: they change the
# files of the cache, which are hashed then, moved or not. FILES are those of each distribution. Every run has an environment
# of its own, all made before the first one and written to the disk: ext4 looks for a free inode beyond all that were freed a
# minute ago, so that what is removed between the runs would be measured in them.
# uv is taken from UV or PATH, the program from target/release, else target/debug, which is several times slower where it
# does not wait for the kernel.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-5}
files=${2:-100}
modes=("${@:3}")
[ ${#modes[@]} -gt 0 ] || modes=(symlink copy clone hardlink)
uv=${UV:-uv}
program=$here/target/release/cachetui
[ -x "$program" ] || program=$here/target/debug/cachetui

base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT
export HOME=$base/home XDG_STATE_HOME=$base/state UV_CACHE_DIR=$base/cache UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
UV_PYTHON=$(python3 -c 'import sys; print(sys.executable)')
export UV_PYTHON
mkdir -p "$HOME" "$base/links" "$base/roots/made"
python3 - "$base/links" "$files" >"$base/requirements.txt" <<'PYTHON'
import base64, hashlib, os, random, sys, zipfile

links, files = sys.argv[1], int(sys.argv[2])
source = random.Random(60)
for number in range(60):
    module = f"demo_{number:02}"
    info = f"{module}-1.0.dist-info"
    content = {f"{module}/__init__.py": b""}
    for part in range(files):
        content[f"{module}/part{part:04}.py"] = source.randbytes(source.randrange(200, 20_000))
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n".encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    rows = [f"{path},sha256={digest(data)},{len(data)}\n" for path, data in content.items()]
    content[f"{info}/RECORD"] = ("".join(rows) + f"{info}/RECORD,,\n").encode()
    with zipfile.ZipFile(os.path.join(links, f"{module}-1.0-py3-none-any.whl"), "w") as wheel:
        for path, data in content.items():
            wheel.writestr(path, data)
    print(f"{module}==1.0")
PYTHON

from=(--no-index --find-links "$base/links" -r "$base/requirements.txt")
"$uv" venv --quiet "$base/roots/made/.venv"
"$uv" pip install --quiet --link-mode symlink --python "$base/roots/made/.venv" "${from[@]}"
mv "$base/cache" "$base/moved"
mv "$base/roots/made" "$base/broken"
"$uv" venv --quiet "$base/other"
UV_CACHE_DIR=$base/filled "$uv" pip install --quiet --link-mode copy --python "$base/other" "${from[@]}"
rm -rf "$base/other"

# One broken environment for each run.
for ((run = 0; run < 4 * rounds * ${#modes[@]}; run++)); do
  mkdir "$base/roots/$run"
  cp -a "$base/broken" "$base/roots/$run/app"
done
sync -f "$base"

run=0
timed() {
  local name=$1 dead
  shift
  /usr/bin/time -f "$name %e %U %S" -a -o "$base/times" "$@" >/dev/null 2>"$base/said" || { cat "$base/said"; exit 1; }
  dead=$(find "$base/roots/$run/app/.venv" -xtype l | wc -l)
  [ "$dead" = 0 ] || { echo "$name left $dead symlinks that lead nowhere"; exit 1; }
  sync -f "$base"
  run=$((run + 1))
}

ours() {
  timed "$cache-$mode cachetui" "$program" repair --yes --no-remember --link-mode "$mode" \
    --root "$base/roots/$run" "$base/roots/$run/app"
}

theirs() {
  timed "$cache-$mode uv" "$uv" pip install --quiet --reinstall --offline --link-mode "$mode" \
    --python "$base/roots/$run/app/.venv" "${from[@]}"
}

for cache in moved filled; do
  export UV_CACHE_DIR=$base/$cache
  for mode in "${modes[@]}"; do
    for ((round = 0; round < rounds; round++)); do
      # Whoever comes second finds what the other has freed.
      if ((round % 2)); then theirs && ours; else ours && theirs; fi
    done
  done
done

echo "$program, $("$uv" --version), 60 distributions of $files files, $(stat -f -c %T "$base")"
awk -v rounds="$rounds" -v modes="${modes[*]}" '
  { name = $1 " " $2; wall[name] = wall[name] " " $3; cpu[name] += $4 + $5 }
  function median(text,   n, parts, i, j, t) {
    n = split(text, parts, " ")
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (parts[j] + 0 < parts[i] + 0) { t = parts[i]; parts[i] = parts[j]; parts[j] = t }
    return parts[int((n + 1) / 2)]
  }
  function line(name) {
    printf "%-24s median %6.2f s   cpu %6.2f s   all%s\n", name, median(wall[name]), cpu[name] / rounds, wall[name]
  }
  END {
    count = split(modes, mode, " ")
    for (i = 1; i <= 2 * count; i++) {
      name = i <= count ? "moved-" mode[i] : "filled-" mode[i - count]
      line(name " cachetui")
      line(name " uv")
      printf "%-24s %.2f of the time\n", "", median(wall[name " cachetui"]) / median(wall[name " uv"])
    }
  }' "$base/times"
