# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, how to talk, how to show progress.
# Works with bash 3.2, which is what a Mac has.

# shellcheck disable=SC2034  # used by the scripts that source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'kvsplit: %s\n' "$*" >&2; }
fail() {
  printf 'kvsplit: error: %s\n' "$*" >&2
  exit 1
}

cache_folder() {
  case $(uname -s) in
    Darwin) printf '%s\n' "$HOME/Library/Caches/kvsplit" ;;
    *) printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/kvsplit" ;;
  esac
}

# Prints the sha256 of a file, or of stdin for "-".
sha256_of() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

number_of_cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || sysctl -n hw.ncpu; }

# progress LABEL: reads ninja's "[done/all] what" lines from stdin and shows how far it is: one line
# that moves on a terminal, elsewhere a new line every tenth of the way and at least once a minute.
progress() {
  local label=$1 line rest count all percent shown=-10 shown_at=$SECONDS start=$SECONDS
  while IFS= read -r line; do
    case $line in
      '['*/*']'*) ;;
      *) continue ;;
    esac
    rest=${line#[}
    count=${rest%%/*}
    rest=${rest#*/}
    all=${rest%%]*}
    case $count$all in *[!0-9]* | '') continue ;; esac
    percent=$((100 * count / all))
    if [ -t 2 ]; then
      printf '\r\033[Kkvsplit: %s  %3d %%  (%d of %d, %d s)' \
        "$label" "$percent" "$count" "$all" "$((SECONDS - start))" >&2
    elif [ "$percent" -ge $((shown + 10)) ] || [ $((SECONDS - shown_at)) -ge 60 ]; then
      say "$label: $percent % ($count of $all, $((SECONDS - start)) s)"
      shown=$((percent / 10 * 10))
      shown_at=$SECONDS
    fi
  done
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}
