package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
)

const (
	binaries    = "binaries"       // below the directory of the programme
	unitTimeout = 30 * time.Minute // then a unit hangs
	mostFailed  = 3                // units of a row: more of them would mostly tell the same

	leastFuzzing = 8 * time.Second // of one target, some of which begin with thousands of inputs
	mostFuzzing  = 5 * time.Minute
)

// runRow runs units of a row until its time is used up, it has reached its target, or too many have failed.
func (p *programme) runRow(ctx context.Context, r *row, share time.Duration) (done rowReport) {
	began := time.Now()
	done = rowReport{Name: r.name, About: r.about, Figure: r.figure, Usual: r.usual, Target: r.target, Figures: map[string]int{}}
	turns := 0
	if !r.once() {
		turns = int(p.seed % uint64(len(r.parts))) // a short time is not always that of the same part
	}
	for {
		n := done.Units
		u := unit{n: n / len(r.parts), seed: p.seed + uint64(n), time: share / time.Duration(len(r.parts))}
		if len(r.parts) == 1 {
			u.n = n
		}
		before := done.Figures[r.figure]
		skipped := p.runUnit(ctx, r, &r.parts[(turns+n)%len(r.parts)], u, &done)
		done.Units++
		done.Count = done.Figures[r.figure]
		spent := time.Since(began)
		done.Seconds = spent.Seconds()
		each := spent / time.Duration(done.Units)
		switch {
		case ctx.Err() != nil, len(done.Failures) >= mostFailed:
			return done
		case done.Units < len(r.parts) && r.once():
			continue
		case r.once(), skipped, r.target > 0 && done.Count >= r.target, r.ends && done.Count == before:
			return done // nothing is left to do
		case spent+each > share:
			return done
		}
	}
}

// runUnit runs a part once. What fails stays in a directory of its own.
func (p *programme) runUnit(ctx context.Context, r *row, work *part, u unit, done *rowReport) (skipped bool) {
	began := time.Now()
	dir := filepath.Join(p.dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(r.name, " ", "-"), done.Units))
	output, err := p.execute(ctx, work, u, dir)
	if ctx.Err() != nil {
		_ = os.RemoveAll(dir) // it was interrupted, which is no failure
		return false
	}
	figures := work.figures(output)
	for name, n := range figures {
		done.Figures[name] += n
	}
	done.Notes = append(done.Notes, effort.Notes(output)...)
	if err == nil && figures["tests"] == 0 && !work.fuzz {
		if reason := needs.FindStringSubmatch(output); reason != nil {
			done.Skipped, skipped = reason[1], true
		} else {
			err = errors.New("no test ran")
		}
	}
	if err == nil && !skipped && !r.ends && figures[r.figure] == 0 {
		err = fmt.Errorf("no %s were counted", r.figure)
	}
	verdict := fmt.Sprintf("%s %s", thousands(figures[r.figure]), r.figure)
	if skipped {
		verdict = done.Skipped
	}
	if err != nil {
		verdict = "FAILED: " + err.Error()
		done.Failures = append(done.Failures, p.keep(work, u, dir, err))
	} else if err := tidy(dir); err != nil {
		fmt.Fprintln(p.log, "programme:", err)
	}
	fmt.Fprintf(p.log, "%s: unit %d, seed %d: %s in %.0f s\n", r.name, done.Units, u.seed, verdict, time.Since(began).Seconds())
	return skipped
}

// tidy removes the directory of a unit that passed, but for what its tests have made for people to look at.
func tidy(dir string) error {
	const artifacts = "_artifacts" // the name is that of package testing, which makes it in any case
	if os.Remove(filepath.Join(dir, artifacts)) == nil {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != artifacts {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// keep leaves the command that runs a failed unit again beside what it left.
func (p *programme) keep(work *part, u unit, dir string, failure error) failed {
	f := failed{Dir: dir, Again: work.command(u), Error: failure.Error()}
	if work.fuzz {
		f.Again = fmt.Sprintf("go test ./%s -run '^%s$'", work.pkg, work.test) // the input is in testdata now, and so in every run
	}
	if err := os.WriteFile(filepath.Join(dir, "again"), []byte(f.Again+"\n"), 0o644); err != nil {
		fmt.Fprintln(p.log, "programme:", err)
	}
	return f
}

// command is what people type to run a unit.
func (w *part) command(u unit) string {
	words := append([]string{"go", "test", "./" + w.pkg}, w.flags(u)...)
	for i, word := range words {
		if strings.ContainsAny(word, "^$|()") {
			words[i] = "'" + word + "'"
		}
	}
	return strings.Join(words, " ")
}

// flags are those of go test.
func (w *part) flags(u unit) []string {
	if w.fuzz {
		spend := min(max(u.time, leastFuzzing), mostFuzzing).Round(time.Second)
		return []string{"-run", "^$", "-fuzz", "^" + w.test + "$", "-fuzztime", spend.String(), "-fuzzminimizetime", "10x"}
	}
	limit := unitTimeout
	if w.long {
		limit += u.time.Round(time.Second)
	}
	flags := []string{"-run", w.test, "-v", "-count", "1", "-timeout", limit.String()}
	if w.args != nil {
		flags = append(flags, w.args(u)...)
	}
	return flags
}

// execute runs a part with its output and all temporary files in dir, and returns the output.
func (p *programme) execute(ctx context.Context, w *part, u unit, dir string) (output string, err error) {
	scratch := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return "", err
	}
	var cmd *exec.Cmd
	if w.fuzz {
		cmd = exec.CommandContext(ctx, "go", append([]string{"test", "./" + w.pkg}, w.flags(u)...)...)
		cmd.Dir = p.root
	} else {
		binary, err := p.build(ctx, w.pkg)
		if err != nil {
			return "", err
		}
		cmd = exec.CommandContext(ctx, binary, ofBinary(w.flags(u))...)
		cmd.Args = append(cmd.Args, "-test.artifacts", "-test.outputdir", dir)
		cmd.Dir = filepath.Join(p.root, filepath.FromSlash(w.pkg))
	}
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch, "TMP="+scratch)
	path := filepath.Join(dir, "output")
	log, err := os.Create(path) // no pipe: what a test leaves behind would keep it open
	if err != nil {
		return "", err
	}
	defer log.Close() // read below
	cmd.Stdout, cmd.Stderr = log, log
	failure := cmd.Run()
	text, err := os.ReadFile(path)
	if w.fuzz && failure != nil && endOfFuzzing(string(text)) {
		failure = nil
	}
	return string(text), errors.Join(failure, err)
}

// endOfFuzzing says that go test took the end of its time for a failure: one that it has found has an input.
func endOfFuzzing(output string) bool {
	return strings.Contains(output, "context deadline exceeded") && !strings.Contains(output, "Failing input")
}

// ofBinary returns flags of go test as the test binary knows them.
func ofBinary(flags []string) []string {
	own := map[string]bool{"-run": true, "-v": true, "-count": true, "-timeout": true}
	list := make([]string, len(flags))
	for i, f := range flags {
		if list[i] = f; own[f] {
			list[i] = "-test." + f[1:]
		}
	}
	return list
}

// build builds the tests of a package, once.
func (p *programme) build(ctx context.Context, pkg string) (binary string, err error) {
	if binary := p.binaries[pkg]; binary != "" {
		return binary, nil
	}
	binary = filepath.Join(p.dir, binaries, strings.ReplaceAll(pkg, "/", "-")+".test.exe") // Windows asks for the suffix
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+pkg)
	cmd.Dir = p.root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the tests of %s: %w: %s", pkg, err, output)
	}
	p.binaries[pkg] = binary
	return binary, nil
}

var (
	passed  = regexp.MustCompile(`(?m)^ *--- PASS: `)
	needs   = regexp.MustCompile(`(?m)^ +\S+_test\.go:\d+: (needs .*)$`)
	fuzzing = regexp.MustCompile(`execs: (\d+) `)
)

// figures adds up what a unit has done, from its output.
func (w *part) figures(output string) map[string]int {
	sum := effort.Figures(output)
	sum["tests"] = len(passed.FindAllString(output, -1))
	if lines := fuzzing.FindAllStringSubmatch(output, -1); w.fuzz && len(lines) > 0 {
		sum["executions"], _ = strconv.Atoi(lines[len(lines)-1][1]) // digits
	}
	return sum
}
