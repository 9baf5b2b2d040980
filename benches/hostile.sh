#!/usr/bin/env bash
# Peak memory and time of `check` on inputs that are made to hurt. Needs GNU time (Debian package `time`), gzip, zstd, and 6 GiB of disk.
#
#   cargo build --release && benches/hostile.sh [PROGRAM] [MEBIBYTES of each long input, 1024]
# A `head` that has enough ends what feeds it, so only the last of a pipe is asked how it went.
set -eu

program=$(realpath "${1:-target/release/customer-import}")
size=$((${2:-1024} * 1024 * 1024))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

header='customer_name,customer_email,customer_phone,customer_country'
row='Ada King,ada@example.com,+4915123456789,DEU'
object='{"customer_name":"Ada","customer_email":"ada@example.com","customer_phone":"+4915123456789","customer_country":"DEU"}'

# Some text first, then a filling over and over.
long() {
  printf '%s' "$1"
  yes "$2" | tr -d "${3:-}" | head -c "$size"
}

# A file name; what makes it stands on standard input.
measure() {
  cat >"$1"
  local code=0
  /usr/bin/time -f '%M %e' -o time "$program" check "$1" --summary json >out 2>err </dev/null || code=$?
  read -r kibibytes seconds < <(tail -n 1 time)
  local words
  words=$(grep -E -m 1 '^error|row\.|json\.' err || grep -o '"records_read":[0-9]*' out || true)
  printf '%-18s %8d MiB %9d MiB %8.1f s   exit %2d   %s\n' \
    "$1" $(($(stat -c %s "$1") >> 20)) $((kibibytes >> 10)) "$seconds" "$code" "${words:0:90}"
  rm "$1"
}

printf '%-18s %12s %13s %10s\n' input size 'peak RSS' time
printf '%s\n%s\n' "$header" "$row" | measure two-lines.csv
long "$header"$'\n'"$row"$'\n''A,"b' 'x,y' | measure open-quote.csv
long "$header"$'\n'"$row"$'\n''A,"b' 'x' '\n' | measure quote-line.csv
long "$header"$'\n'"$row"$'\n' 'x' '\n' | measure line.csv
long '' 'x' '\n' | measure header.csv
long "$header"$'\n'"$row"$'\n' 'x,' '\n' | measure cells.csv
{ echo "$header"; head -c 1000000 /dev/zero | tr '\0' ','; echo; echo "$row"; } | measure columns.csv
{ seq -s , 1000000; echo "$row"; } | measure columns-head.csv
long "$header"$'\n' "$(printf 'x%.0s' {1..100})" | measure bad-rows.csv
long "$header"$'\n'"$row"$'\n' '' | measure blank-lines.csv
long "$object"$'\n' '[[[[[[[[[[[[[[[' '\n' | measure deep-line.ndjson
long "$object"$'\n' "{\"x\":$(printf '[%.0s' {1..60000})" | measure deep-lines.ndjson
long "$object"$'\n' '{"x":' '\n' | measure line.ndjson
long "$object"$'\n' "{\"x\":\"$(printf 'x%.0s' {1..100})\"}" | measure bad-lines.ndjson
{ echo "$header"; yes '' | head -c $((4 * size)); } | gzip -6 | measure bomb.csv.gz
{ echo "$header"; yes '' | head -c $((4 * size)); } | zstd -q -3 | measure bomb.csv.zst
{ echo "$header"; yes "$row" | head -c "$size"; } | zstd -q --long=30 -1 | measure window.csv.zst
{ echo "$header"; yes "$row" | head -c "$size"; } | gzip -1 | measure dense.csv.gz
