#!/usr/bin/env bash
# Tries what a careless machine, server or neighbour does to an import, against the simulated API on this machine.
#   examples/hostile.sh target/release/customer-import
# Prints each failure, then how many tries there were and how many failed; exits 1 if any did.
# Needs bash, coreutils and, for one group, strace. Nothing leaves this machine, and nothing is kept.
set -u
program=$(realpath "${1:?usage: $0 PROGRAM}")
work=$(mktemp -d)
server=
tries=0 failures=0

finish() {
  [ -n "$server" ] && kill "$server" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
cd "$work" || exit 1
export CUSTOMER_IMPORT_TOKEN=test-token XDG_STATE_HOME=$work/state HOME=$work
unset "${!CUSTOMER_IMPORT_BASE@}"

# try NAME CONDITION…: counts, and tells if the condition does not hold.
try() {
  local name=$1
  shift
  tries=$((tries + 1))
  if ! "$@" >/dev/null 2>&1; then
    failures=$((failures + 1))
    printf 'FAILED  %s\n' "$name"
    [ -s said ] && sed 's/^/        /' said | head -n 5
  fi
}

start_server() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -f server.log
  "$program" sandbox --port 0 --limit 1000000/m --log server.log "$@" >first 2>/dev/null &
  server=$!
  for _ in $(seq 200); do
    url=$(grep -o 'http://[^ ]*' first 2>/dev/null | head -n 1)
    [ -n "$url" ] && return
    sleep 0.05
  done
  echo 'the simulated API does not start' >&2
  exit 1
}

# people COUNT: in.csv with so many good customers.
people() {
  echo 'customer_name,customer_email,customer_phone,customer_country,note' >in.csv
  for n in $(seq "$1"); do printf 'Person %d,p%d@example.com,+49176123%05d,DEU,x\n' "$n" "$n" "$n"; done >>in.csv
}

# import MORE…: the exit code goes into $code, all words into `said`.
import() {
  "$program" import in.csv --base-url "$url" --rate 500/s --settle 300ms "$@" >said 2>&1
  code=$?
}

posts() { grep -c '"method":"POST"' server.log; }
created() { grep -c '"event":"created"' server.log; }
each_once() { [ "$(grep '"event":"created"' server.log | grep -o '"email":"[^"]*"' | sort | uniq -d | wc -l)" = 0 ]; }

# ---- formulas: no cell that somebody else chose is run by a spreadsheet
formulas() {
  local payload sign
  for payload in '=1+1' "=cmd|' /C calc'!A0" "+cmd|' /C calc'!A0" "-2+3+cmd|' /C calc'!A0" '@SUM(1+1)' ' =1+1' \
    $'\t=1+1' $'\u00a0=1+1' "'=1+1" $'\ufeff=1+1' $'\u200b@SUM(1)' '＝1+1' '＋1' '－1+A1' '＠A1' '--1'; do
    rm -rf state in.report.csv
    {
      echo 'customer_name,customer_email,customer_phone,customer_country,note'
      printf 'Ann Lee,ann@example.com,+4917612345678,DEU,"%s"\n' "$payload"
      printf 'Bob Lee,"%s",+4917612345679,DEU,x\n' "$payload"
    } >in.csv
    start_server
    import --keep note --rejects mend.csv
    # The kept cell is the last one of its line.
    try "a kept $payload is text" grep -qF -e "'$payload" in.report.csv
    try "the input's own $payload is untouched" grep -qF -e "$payload" mend.csv
    sign=$(tail -n 1 mend.csv | grep -cE ',[=+@-][^,]*$')
    try "the complaint about $payload is text" [ "$sign" = 0 ]
  done
}

# ---- ledgers that are renamed, removed or replaced while a run is at work
ledgers() {
  local deed
  for deed in 'mv l.db elsewhere.db' 'rm l.db' 'mv l.db elsewhere.db; cp elsewhere.db l.db' 'rm l.db.lock' 'mv l.db-wal away'; do
    rm -rf ./*.db* elsewhere* away state in.report.csv
    people 300
    start_server --latency 20ms
    "$program" import in.csv --base-url "$url" --rate 500/s --settle 300ms --ledger l.db --concurrency 2 >said 2>&1 &
    local run=$!
    for _ in $(seq 400); do
      [ -f server.log ] && [ "$(posts)" -ge 5 ] && break
      sleep 0.02
    done
    eval "$deed"
    wait "$run"
    code=$?
    try "after '$deed' the run does not go on to its end" [ "$code" = 74 ]
    try "after '$deed' nobody is sent twice" each_once
    [ -e elsewhere.db ] && rm -f l.db && mv elsewhere.db l.db
    for ending in -wal -shm; do [ -e "away" ] && [ "$ending" = -wal ] && mv away "l.db$ending"; done
    if [ -e l.db ]; then
      import --ledger l.db
      try "after '$deed' and back, the next run completes" [ "$code" = 0 ]
      try "after '$deed' and back, each customer is there" [ "$(created)" = 300 ]
      try "after '$deed' and back, nobody is there twice" each_once
    fi
  done
}

# limited LIMIT MORE…: an import with a limit of the shell's.
limited() {
  local limit=$1
  shift
  (
    ulimit "${limit%% *}" "${limit#* }"
    exec "$program" import in.csv --base-url "$url" --rate 500/s --settle 300ms --give-up-after 2s "$@"
  ) >said 2>&1
  code=$?
}

ends_well() { case " $1 " in *" $code "*) ! grep -q 'panicked' said ;; *) return 1 ;; esac; }

# ---- scarce descriptors, memory, threads, file sizes and entropy
limits() {
  local limit
  people 20
  for limit in '-n 10' '-n 12' '-n 14' '-n 16' '-n 20' '-n 24' '-f 20' '-f 50' '-f 100' '-v 100000' '-v 150000' '-v 200000' '-v 400000'; do
    rm -rf state l.db*
    start_server
    limited "$limit" --ledger l.db
    try "ulimit $limit ends with 0, 69 or 74" ends_well '0 69 74'
    [ "$code" = 74 ] && try "ulimit $limit is named" grep -qE 'RLIMIT_|limit' said
    import --ledger l.db
    try "after ulimit $limit the next run completes" [ "$code" = 0 ]
    try "after ulimit $limit each customer is there" [ "$(created)" = 20 ]
    try "after ulimit $limit nobody is there twice" each_once
  done
  if command -v strace >/dev/null && strace -qq -o trace true 2>/dev/null; then
    rm -rf state
    start_server
    strace -f -qq -o trace -e trace=getrandom -e inject=getrandom:error=EIO \
      "$program" import in.csv --base-url "$url" >said 2>&1
    code=$?
    try 'a machine without random bytes ends with 74' ends_well 74
    try 'a machine without random bytes sends nothing' [ "$(created)" = 0 ]
  else
    echo 'skipped: entropy (strace cannot be used here)'
  fi
}

for group in formulas ledgers limits; do
  before=$tries
  "$group"
  printf '%-10s %4d tries\n' "$group" $((tries - before))
done
printf '%d tries, %d failures\n' "$tries" "$failures"
[ "$failures" = 0 ]
