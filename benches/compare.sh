#!/usr/bin/env bash
# The speed of `check` beside other programs that read or judge the same file, as a share of a bare scan by the csv crate.
#
#   cargo build --release --bin customer-import --example scan && benches/compare.sh [ROWS, 1000000] [ROUNDS, 5]
#
# Those of xsv, qsv (or qsvlite), mlr and frictionless that are on the PATH take part. All go in turns and the best of each is printed: machines
# are noisy, and only the shares carry over to another one. Each program uses as many cores as it likes: "cores" says how many it kept
# busy, and the time of all cores for a row is what a busy machine distorts least.
# The rules are in customers.schema.json, as far as others can say them: they know neither countries nor their numbers, and no duplicates.
set -eu

rows=${1:-1000000}
rounds=${2:-5}
here=$(realpath "$(dirname "$0")")
release=$(realpath "$here/../${CARGO_TARGET_DIR:-target}/release")
PATH=$release:$release/examples:$PATH
TIMEFORMAT='%R %U %S'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Names in many scripts, every country's example number in E.164, countries in two letters and in three.
make() {
  awk -F, -v rows="$rows" '
    BEGIN {
      names = split("Ada Lovelace|Nguyễn Thị Minh Khai|Jürgen Groß|Σοφία Παπαδοπούλου|Мария Иванова|李小龙|山田 花子|김민준|محمد الفارسي|" \
        "प्रिया शर्मा|Zoë O’Connor-Smith|Ọlá Adébáyọ̀", name, "|")
      print "legacy_id,customer_name,customer_email,customer_phone,customer_country"
    }
    NR > 1 { two[NR - 2] = $1; three[NR - 2] = $2; phone[NR - 2] = $4 }
    END {
      for (row = 0; row < rows; row++) {
        region = row % (NR - 1)
        print row "," name[row % names + 1] ",p" row "@post.zz," phone[region] "," (row % 2 ? two[region] : three[region])
      }
    }' "$here/../fixtures/data/phones-by-region.csv"
}

labels=() counts=() commands=()

# A label, the rows of the file, and a command that is to end well.
way() {
  if command -v "$3" >/dev/null; then
    labels+=("$1") counts+=("$2") commands+=("${*:3}")
  else
    echo "left out, not on the PATH: $1"
  fi
}

# Sets `spent` to the seconds that passed and those of all cores.
measure() {
  spent=$({ time $1 >out 2>err </dev/null; } 2>&1) || { echo "failed: $1"; tail -n 3 out err; exit 1; }
}

make >customers.csv
# The slow ones get less to do: what counts is rows a second.
few=$(((rows + 19) / 20))
head -n $((few + 1)) customers.csv >few.csv
cp "$here"/customers.*schema.json .
cat >rules.mlr <<'END'
strlen($customer_name) == 0 || strlen($customer_name) > 255
  || strlen($customer_email) > 254 || $customer_email !=~ "^[^@[:space:]]+@([^@.[:space:]]+[.])+[A-Za-z]{2,}$"
  || $customer_phone !=~ "^[+][1-9][0-9]{6,14}$"
  || $customer_country !=~ "^[A-Z]{2,3}$"
END
qsv=$(command -v qsv || command -v qsvlite || echo qsv)

way 'bare scan by the csv crate' "$rows" scan customers.csv
way 'customer-import check' "$rows" customer-import check --summary json customers.csv
way 'xsv count' "$rows" xsv count customers.csv
way 'qsv count' "$rows" "$qsv" count customers.csv
way 'qsv validate, form only' "$rows" "$qsv" validate customers.csv
way 'qsv validate, JSON Schema' "$rows" "$qsv" validate customers.csv customers.schema.json
way 'mlr, read only' "$rows" mlr --icsv --ojson -S nothing customers.csv
way 'mlr, the rules as a filter' "$few" mlr --icsv --ojson -S filter -f rules.mlr few.csv
way 'frictionless validate' "$few" frictionless validate --schema customers.table-schema.json few.csv

best=()
for ((round = 0; round < rounds; round++)); do
  for i in "${!commands[@]}"; do
    measure "${commands[i]}"
    best[i]=$(printf '%s\n' "${best[i]:-$spent}" "$spent" | sort -n | head -n 1)
  done
done

echo "$rows rows, $(stat -c %s customers.csv) bytes, best of $rounds; load $(cut -d ' ' -f 1 /proc/loadavg) at the end"
for i in "${!labels[@]}"; do
  echo "${labels[i]}|${counts[i]}|${best[i]}"
done | tr ' ' '\t' | awk -F'|' '
  { split($3, seconds, "\t"); speed = $2 / seconds[1]; scan = scan ? scan : speed; gsub("\t", " ", $1)
    printf "%-28s %10d rows/s %8.3f of the scan %6.1f cores %10.3f CPU µs/row\n",
      $1, speed, speed / scan, (seconds[2] + seconds[3]) / seconds[1], (seconds[2] + seconds[3]) / $2 * 1000000 }'
