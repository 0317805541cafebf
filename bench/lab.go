package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// lab is where the rows are measured.
type lab struct {
	ctx    context.Context
	dir    string // scratch, on the disk that is measured
	binary string // queuectl
	self   string // this program
	strace string // "" = there is none
	quick  bool
}

const (
	commandSize = 100       // bytes of a job's command or payload in all rows
	backlog     = "backlog" // the queue in which the jobs of lab.pending wait
)

func benchSpec() job.Spec { return job.Spec{Command: strings.Repeat("x", commandSize)} }

func handlerSpec() job.Spec {
	return job.Spec{Kind: nothing, Payload: []byte(`"` + strings.Repeat("x", commandSize-2) + `"`)}
}

func repeat(spec job.Spec, n int) []job.Spec { return slices.Repeat([]job.Spec{spec}, n) }

// choose returns the size for a full or a quick run.
func (l *lab) choose(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

// sizes are those of a queue at which a row is measured.
func (l *lab) sizes() []int {
	if l.quick {
		return []int{100, 1_000, 10_000}
	}
	return []int{10_000, 100_000, 1_000_000}
}

// path makes a new directory for a queue.
func (l *lab) path() (string, error) { return os.MkdirTemp(l.dir, "queue-") }

// with runs fn on a queue.
func (l *lab) with(dir string, fn func(q *queue.Queue) error) error {
	q, err := queue.Open(l.ctx, dir, queue.Options{})
	if err != nil {
		return err
	}
	if err := fn(q); err != nil {
		q.Close()
		return err
	}
	return q.Close()
}

// fresh makes a queue in a new directory, has fn fill it, and returns the directory.
func (l *lab) fresh(fn func(q *queue.Queue) error) (string, error) {
	dir, err := l.path()
	if err != nil {
		return "", err
	}
	return dir, l.with(dir, fn)
}

// enqueue adds n jobs in commits of at most 100,000.
func (l *lab) enqueue(q *queue.Queue, spec job.Spec, n int) error {
	for n > 0 {
		some := min(100_000, n)
		if _, err := q.EnqueueMany(l.ctx, repeat(spec, some), queue.EnqueueOptions{}); err != nil {
			return err
		}
		n -= some
	}
	return nil
}

// pending returns the directory of a queue in which about n jobs for handlers wait, in a queue of their own that
// workers of the default queue leave alone. Rows share it: each leaves about as many as there were, and none in another
// queue.
func (l *lab) pending(n int) (string, error) {
	return l.once(fmt.Sprint("pending-", n), func(q *queue.Queue) error {
		spec := handlerSpec()
		spec.Queue = backlog
		if err := l.enqueue(q, spec, n); err != nil {
			return err
		}
		return l.snapshot(q)
	})
}

// crowd returns a copy of what pending returns, for those who leave more than there were, and remove it.
func (l *lab) crowd(n int) (string, error) {
	from, err := l.pending(n)
	if err != nil {
		return "", err
	}
	to, err := l.path()
	if err != nil {
		return "", err
	}
	return to, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case err != nil || !entry.IsDir() && !entry.Type().IsRegular(): // workers that were killed leave pipes
			return err
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}

// finished returns the directory of a queue of which n jobs have been run by handlers, claims and outcomes sharing commits.
func (l *lab) finished(n int) (string, error) {
	dir, err := l.once(fmt.Sprint("finished-", n), func(q *queue.Queue) error { return l.enqueue(q, handlerSpec(), n) })
	if err != nil {
		return "", err
	}
	_, err = l.together(1, "drain", load{Dir: dir, Slots: 64})
	return dir, err
}

// once makes a queue in a directory by that name, unless it is there.
func (l *lab) once(name string, fill func(q *queue.Queue) error) (string, error) {
	dir := filepath.Join(l.dir, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, l.with(dir, fill)
}

// snapshot waits until one is written.
func (l *lab) snapshot(q *queue.Queue) error {
	for {
		if report, err := q.Snapshot(l.ctx); err != nil || !report.Busy {
			return err
		}
	}
}

// sizeOfLog is the bytes of all segments, archives are those of archives.
func sizeOfLog(dir string) int64 {
	names := strings.Repeat("[0-9]", 20)
	return sizeOf(filepath.Join(dir, "log", names)) + sizeOf(filepath.Join(dir, "sealed", names))
}

func sizeOf(pattern string) (size int64) {
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	return size
}

// timed runs a command to its end and returns how long it took, in milliseconds.
func timed(name string, args ...string) (float64, error) {
	cmd := exec.Command(name, args...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return time.Since(start).Seconds() * 1e3, nil
}

// paired are the figures of rounds in which our work and its bound took turns.
type paired struct{ ours, bound []float64 }

// inTurns does both a number of times, each first every other time.
func inTurns(rounds int, ours, bound func() (float64, error)) (p paired, err error) {
	one := func(to *[]float64, do func() (float64, error)) {
		if err == nil {
			var figure float64
			figure, err = do()
			*to = append(*to, figure)
		}
	}
	for i := range rounds {
		if i%2 == 0 {
			one(&p.ours, ours)
		}
		one(&p.bound, bound)
		if i%2 == 1 {
			one(&p.ours, ours)
		}
	}
	return p, err
}

// ratio is the median of those of the rounds.
func (p paired) ratio() float64 {
	ratios := make([]float64, len(p.ours))
	for i := range ratios {
		ratios[i] = p.ours[i] / p.bound[i]
	}
	return median(ratios)
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value at q in 0–1.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
