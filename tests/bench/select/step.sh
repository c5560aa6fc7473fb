#!/bin/bash
# step.sh - what every contender runs: takes its time, adds up what it was given, and
# notes in $BENCH_ENDS when it ended.
#
# usage: step.sh SECONDS OUT NUMBER [FILE...]    OUT: NUMBER and those in the files
seconds=$1 out=$2
shift 2
sum=$1
shift
for f; do sum=$((sum + $(<"$f"))); done
sleep "$seconds"
echo "$sum" >"$out"
echo "$EPOCHREALTIME" >>"$BENCH_ENDS"
