// Command programme runs the whole reliability programme within a given time: every layer of tests that can do more
// than it does in every run, each with its part of the time, and prints for each how much it did.
//
//	go run ./internal/programme -budget 10m              all rows
//	go run ./internal/programme -rows crash,kill         some of them
//	go run ./internal/programme -list                    what rows there are, and what they run
//	go run ./internal/programme -seed 17 -dir found      the same again; what failed is kept in found
//	go run ./internal/programme -json                    JSON in place of the Markdown table
//
// It drives the tests of this module, a unit of work at a time and each with a seed of its own, until the time of the
// row is used up. Of a unit that fails, the output, the directories of its tests and the command that runs it again are
// kept. It exits with 1 if anything failed, and with 2 if it could not begin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, table, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// programme is one run of it.
type programme struct {
	rows   []row
	root   string // of the module
	dir    string // where units work, and where those that fail stay
	seed   uint64 // of the first unit of each row
	budget time.Duration
	log    io.Writer // progress, for people

	binaries map[string]string // of packages that were built
}

func run(ctx context.Context, rows []row, args []string, stdout, stderr io.Writer) int {
	p, opt, err := parse(ctx, rows, args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && opt.list:
		list(stdout, p.rows)
		return 0
	case err == nil:
		err = p.prepare(opt.dir)
	}
	if err != nil {
		fmt.Fprintln(stderr, "programme: error:", err)
		return 2
	}
	report := p.run(ctx)
	if err := p.finish(report, opt, stdout); err != nil {
		fmt.Fprintln(stderr, "programme: error:", err)
		return 1
	}
	if report.failures() > 0 {
		fmt.Fprintf(stderr, "programme: %d units failed; they are kept in %s\n", report.failures(), p.dir)
		return 1
	}
	return 0
}

// options are those of the command line that only its beginning and its end have to do with.
type options struct {
	dir  string // as it was given; "" = a new one, which is removed unless something failed
	list bool
	json bool
}

func parse(ctx context.Context, rows []row, args []string, stderr io.Writer) (p *programme, opt options, err error) {
	p = &programme{log: stderr, binaries: map[string]string{}}
	flags := flag.NewFlagSet("programme", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&p.budget, "budget", 10*time.Minute, "time for all rows together; each gets one unit at least")
	flags.Uint64Var(&p.seed, "seed", 0, "seed of the first unit of each row; 0 = a new one")
	flags.StringVar(&opt.dir, "dir", "", "work in this directory, and leave the report there")
	flags.BoolVar(&opt.list, "list", false, "list the rows")
	flags.BoolVar(&opt.json, "json", false, "print JSON instead of a table")
	names := flags.String("rows", "", "only these, with commas (default: all)")
	if err := flags.Parse(args); err != nil {
		return nil, opt, err
	}
	if flags.NArg() > 0 {
		return nil, opt, fmt.Errorf("%q is no flag: see -help", flags.Arg(0))
	}
	if p.seed == 0 {
		p.seed = rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)).Uint64() >> 1 // units count on from it
	}
	if p.rows, err = choose(rows, *names); err != nil {
		return nil, opt, err
	}
	p.root, err = moduleRoot(ctx)
	return p, opt, err
}

// choose returns the rows with these names, in the order of the table.
func choose(rows []row, names string) (chosen []row, err error) {
	if names == "" {
		return rows, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == strings.TrimSpace(name) }) {
			return nil, fmt.Errorf("there is no row %q: -list shows them", name)
		}
	}
	for _, r := range rows {
		if slices.Contains(strings.Split(strings.ReplaceAll(names, " ", ""), ","), r.name) {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w: run it in the repository, with the go command in PATH", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// prepare makes the directory.
func (p *programme) prepare(dir string) (err error) {
	if dir == "" {
		p.dir, err = os.MkdirTemp("", "programme-")
		return err
	}
	if p.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return os.MkdirAll(p.dir, 0o755)
}

// run runs all rows: each may take its part of the time that those before it have left over.
func (p *programme) run(ctx context.Context) *report {
	began := time.Now()
	r := &report{
		Commit: p.commit(ctx), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Seed: p.seed, Began: began.UTC().Truncate(time.Second), Budget: p.budget.Seconds(),
	}
	weights := 0
	for _, row := range p.rows {
		weights += row.weight
	}
	for i := range p.rows {
		left := p.budget - time.Since(began)
		share := max(0, left*time.Duration(p.rows[i].weight)/time.Duration(weights))
		weights -= p.rows[i].weight
		r.Rows = append(r.Rows, p.runRow(ctx, &p.rows[i], share))
		if ctx.Err() != nil {
			r.Interrupted = true
			break
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r
}

// commit names what is tested, as far as git knows.
func (p *programme) commit(ctx context.Context) string {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = p.root
		output, err := cmd.Output()
		if err != nil {
			return "" // no repository: an archive of the source
		}
		return strings.TrimSpace(string(output))
	}
	commit := git("rev-parse", "--short=12", "HEAD")
	if commit == "" {
		return "unknown"
	}
	if git("status", "--porcelain", "--untracked-files=no") != "" {
		commit += " with changes"
	}
	return commit
}

// finish prints the report, leaves it in the directory, and removes what nobody needs any more.
func (p *programme) finish(r *report, opt options, stdout io.Writer) error {
	markdown, asJSON, err := r.markdown(), []byte(nil), error(nil)
	if asJSON, err = r.json(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(p.dir, binaries)); err != nil {
		return err
	}
	text := markdown
	if opt.json {
		text = string(asJSON)
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	if opt.dir == "" && r.failures() == 0 {
		return os.RemoveAll(p.dir)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(p.dir, "report.md"), []byte(markdown), 0o644),
		os.WriteFile(filepath.Join(p.dir, "report.json"), asJSON, 0o644))
}
