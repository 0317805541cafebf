// Command bench measures what the queue promises of speed, memory and system calls, each figure beside a bound
// that is measured in the same run, and writes a Markdown table and JSON lines.
//
//	go run ./bench            all rows, a quarter of an hour
//	go run ./bench -quick     the same rows with smaller sizes, half a minute
//	go run ./bench -row 2,6   some rows
//	go run ./bench -json FILE JSON lines: the machine, then a line of the table each
//
// Machines drift, so the bound and the work take turns, and the medians are compared; a ratio says more than
// either figure. Everything is durable when it is counted unless a row says otherwise, which is checked by counting
// syncs with strace where there is one. Work is done by processes of its own: this program, started once more (see
// child.go). Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rows are numbered as in docs/internals/performance.md.
var rows = []func(*lab) ([]result, error){
	1: oneProducer, manyGoroutines, manyProcesses, bulk, drain, commands, coldCommands, wakeUp, waiting, replay, restart,
	memory, disk, reclaim,
	15: verify, appendsBesideASnapshot, features, manyThings, cancelAll, systemCalls,
}

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "child" {
		err = runChild(os.Args[2:])
	} else {
		err = runLab()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func runLab() error {
	quick := flag.Bool("quick", false, "smaller sizes")
	only := flag.String("row", "", "only these rows, by number, with commas")
	jsonFile := flag.String("json", "", "also write JSON lines to this file")
	parent := flag.String("dir", "", "measure in this directory (default: the temporary one)")
	flag.Parse()
	wanted, err := parseRows(*only)
	if err != nil {
		return err
	}
	l, err := newLab(*parent, *quick)
	if err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	var results []result
	var failed error // of rows; the others are measured all the same
	for _, n := range wanted {
		start := time.Now()
		rs, err := rows[n](l)
		if err != nil {
			err = fmt.Errorf("row %d: %w", n, err)
			fmt.Fprintln(os.Stderr, err)
			failed = errors.Join(failed, err)
		}
		addSlopes(rs)
		for i := range rs {
			rs[i].Row = n
			fmt.Fprintln(os.Stderr, rs[i].line())
		}
		fmt.Fprintf(os.Stderr, "row %d took %.0f s\n", n, time.Since(start).Seconds())
		results = append(results, rs...)
	}
	writeTable(os.Stdout, l, results)
	if *jsonFile != "" {
		failed = errors.Join(failed, writeJSON(*jsonFile, l, results))
	}
	return failed
}

func newLab(parent string, quick bool) (*lab, error) {
	dir, err := os.MkdirTemp(parent, "queuectl-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: context.Background(), dir: dir, binary: filepath.Join(dir, "queuectl"), quick: quick}
	build := exec.Command("go", "build", "-o", l.binary, "github.com/queuectl/queuectl/cmd/queuectl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build queuectl: %w: %s", err, out)
	}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	l.strace, _ = exec.LookPath("strace") // rows say so where it is missing
	return l, nil
}

func parseRows(text string) (wanted []int, err error) {
	if text == "" {
		for n := 1; n < len(rows); n++ {
			wanted = append(wanted, n)
		}
		return wanted, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n >= len(rows) {
			return nil, fmt.Errorf("no row %q: use 1 to %d", part, len(rows)-1)
		}
		wanted = append(wanted, n)
	}
	return wanted, nil
}
