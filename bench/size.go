package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/queuectl/queuectl/queue"
)

// memory measures what a pending job takes in memory.
func memory(l *lab) (results []result, err error) {
	for _, n := range l.sizes() {
		dir, err := l.path()
		if err != nil {
			return nil, err
		}
		o, err := l.together(1, "memory", load{Dir: dir, N: n})
		if err != nil {
			return nil, err
		}
		per := o.figures[0]
		results = append(results, result{
			Work: "memory of a pending job, 100-byte command, of n", N: n, Value: per, Unit: "B", Figure: fmt.Sprintf("%.0f B", per),
			Bound: "100 B, its command", BoundValue: commandSize, Ratio: per / commandSize, cost: per,
		}.must("≤ 250 B", per <= 250))
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// childMemory enqueues N jobs and tells what memory each takes.
func childMemory(ctx context.Context, c *child) error {
	l := lab{ctx: ctx}
	c.ready()
	return l.with(c.Dir, func(q *queue.Queue) error {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if err := l.enqueue(q, benchSpec(), c.N); err != nil {
			return err
		}
		if err := l.snapshot(q); err != nil { // what is written beside has memory of its own
			return err
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		c.done(float64(after.HeapAlloc-before.HeapAlloc) / float64(c.N))
		return nil
	})
}

// disk measures what a job takes on the disk: waiting, and after its whole life before and after archiving. The files of
// the snapshot can be deleted at any time and are told apart.
func disk(l *lab) (results []result, err error) {
	line := func(work string, n int, log, snapshot, goal float64) result {
		return result{
			Work: work, N: n, Value: log, Unit: "B", cost: log,
			Figure: fmt.Sprintf("%.0f B, and %.0f B of snapshot", log, snapshot), Bound: "100 B, its payload", BoundValue: commandSize, Ratio: log / commandSize,
		}.must(fmt.Sprintf("≤ %.0f B", goal), log <= goal)
	}
	for _, n := range l.sizes() {
		each := func(size int64) float64 { return float64(size) / float64(n) }
		dir, err := l.fresh(func(q *queue.Queue) error { return l.enqueue(q, handlerSpec(), n) })
		if err != nil {
			return nil, err
		}
		snapshot := filepath.Join(dir, "snapshot", "*")
		results = append(results, line("disk of a pending job of n, enqueued in bulk", n, each(sizeOfLog(dir)), each(sizeOf(snapshot)), 137))
		if _, err := l.together(1, "drain", load{Dir: dir, Slots: 64}); err != nil {
			return nil, err
		}
		log, err := l.verified(dir)
		if err != nil {
			return nil, err
		}
		whole := line("disk of a job's whole life, of n, handlers 64 at a time", n, each(log.Bytes), each(sizeOf(snapshot)), 400)
		whole.Figure += fmt.Sprintf(", %.0f events a commit", float64(log.Events)/float64(log.Head.Commit))
		if _, err := timed(l.binary, "--dir", dir, "-q", "log", "archive"); err != nil {
			return nil, err
		}
		left := sizeOfLog(dir) + sizeOf(filepath.Join(dir, "archive", "*"))
		results = append(results, whole, line("the same, archived", n, each(left), each(sizeOf(snapshot)), 100))
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// checked is what 'queuectl log verify' found.
type checked struct {
	Bytes  int64 // of all frames as they were written, archived or not
	Events int64
	Head   struct{ Commit int64 }
}

func (l *lab) verified(dir string) (report checked, err error) {
	out, err := exec.Command(l.binary, "--dir", dir, "log", "verify", "-o", "json").Output()
	if err != nil {
		return report, fmt.Errorf("verify: %w", err)
	}
	return report, json.Unmarshal(out, &report)
}
