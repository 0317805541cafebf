// Command bench measures what the queue promises of speed and memory, each figure beside a bound that
// is measured in the same run, and writes a Markdown table and JSON lines.
//
//	go run ./bench            all rows, a few minutes
//	go run ./bench -quick     the same rows with smaller sizes
//	go run ./bench -row 2,6   some rows
//	go run ./bench -json FILE JSON lines, a row each
//
// Machines drift, so the bound and the work take turns and the medians are compared; a ratio says more
// than either figure. Everything is durable when it is counted unless a row says otherwise. Linux.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// result is one line of the table.
type result struct {
	Row    int     `json:"row"`
	Work   string  `json:"work"`
	Figure string  `json:"figure"` // what was measured, for people
	Bound  string  `json:"bound"`  // what it was measured beside, for people
	Ratio  float64 `json:"ratio"`  // of the figure to the bound, 0 = none
	Goal   string  `json:"goal"`
}

// lab is where the rows are measured.
type lab struct {
	ctx    context.Context
	dir    string // scratch, on the disk that is measured
	binary string // queuectl
	quick  bool
}

// rows are numbered as in docs/internals/performance.md.
var rows = []func(*lab) ([]result, error){
	oneAtATime, manyGoroutines, claimAndOutcome, coldCommands, shellCommands, wakeUp, reclaimAfterKill, memoryPerJob, bulk,
	longHistory, longQueue,
}

func main() {
	quick := flag.Bool("quick", false, "smaller sizes")
	row := flag.String("row", "", "only these rows, by number, with commas")
	jsonFile := flag.String("json", "", "also write JSON lines to this file")
	dir := flag.String("dir", "", "measure in this directory (default: the temporary one)")
	flag.Parse()
	if err := run(*quick, *row, *jsonFile, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run(quick bool, only, jsonFile, parent string) error {
	dir, err := os.MkdirTemp(parent, "queuectl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := &lab{ctx: context.Background(), dir: dir, binary: filepath.Join(dir, "queuectl"), quick: quick}
	if out, err := exec.Command("go", "build", "-o", l.binary, "github.com/queuectl/queuectl/cmd/queuectl").CombinedOutput(); err != nil {
		return fmt.Errorf("build queuectl: %w: %s", err, out)
	}
	wanted, err := parseRows(only)
	if err != nil {
		return err
	}
	var results []result
	for i, row := range rows {
		if wanted != nil && !wanted[i+1] {
			continue
		}
		rs, err := row(l)
		if err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
		for _, r := range rs {
			r.Row = i + 1
			results = append(results, r)
			fmt.Fprintf(os.Stderr, "row %d: %s: %s (bound %s)\n", r.Row, r.Work, r.Figure, r.Bound)
		}
	}
	writeTable(os.Stdout, results)
	if jsonFile != "" {
		return writeJSON(jsonFile, results)
	}
	return nil
}

func parseRows(text string) (map[int]bool, error) {
	if text == "" {
		return nil, nil
	}
	wanted := map[int]bool{}
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > len(rows) {
			return nil, fmt.Errorf("no row %q: use 1 to %d", part, len(rows))
		}
		wanted[n] = true
	}
	return wanted, nil
}

func writeTable(w io.Writer, results []result) {
	fmt.Fprintf(w, "Measured with %s on %s/%s, %d processors.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintln(w, "| # | work | measured | bound in the same run | ratio | goal |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range results {
		ratio := "—"
		if r.Ratio != 0 {
			ratio = strconv.FormatFloat(r.Ratio, 'f', 2, 64)
		}
		fmt.Fprintf(w, "| %d | %s | %s | %s | %s | %s |\n", r.Row, r.Work, r.Figure, r.Bound, ratio, r.Goal)
	}
}

func writeJSON(path string, results []result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return f.Close()
}

// choose returns the size for a full or a quick run.
func (l *lab) choose(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

// median sorts values and returns the middle one; quantile likewise, for q in 0–1.
func median(values []float64) float64 { return quantile(values, 0.5) }

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
