#!/bin/sh
# Ask every package again and rewrite tests/reference: make oracles, or sh tests/oracles/run.sh FOLDER.
# FOLDER gets three environments (PY311 and PY312 name the interpreters), raw answers and nothing else.
# R's clubSandwich and plm come from Debian: apt-get install r-base-core r-cran-clubsandwich r-cran-plm
set -eu
cd "$(dirname "$0")/../.."
folder=$1
export OMP_NUM_THREADS=1
environment() {
  [ -d "$folder/$1" ] && return
  "$2" -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet --require-hashes -r "requirements/$3.lock"
}
environment main "${PY311:-python3.11}" oracles
environment moderndid "${PY312:-python3.12}" oracles-moderndid
environment multiplegt "${PY311:-python3.11}" oracles-multiplegt
for script in group_time interaction imputation stacked did_m local_projection synthetic decompositions clusters wild; do
  echo "== $script"
  "$folder/main/bin/python" -m "tests.oracles.$script" "$folder/raw"
done
for script in group_time interaction did_m; do
  echo "== $script, moderndid"
  "$folder/moderndid/bin/python" -m "tests.oracles.$script" "$folder/raw" --only moderndid
done
"$folder/multiplegt/bin/python" -m tests.oracles.did_m "$folder/raw" --only py_did_multiplegt_dyn
"$folder/main/bin/python" -m tests.oracles.collect "$folder/raw"
"$folder/main/bin/python" -m tests.oracles.few_treated
