package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// sizes are those at which a row that must not grow is measured.
func (l *lab) sizes() []int {
	if l.quick {
		return []int{1_000, 10_000}
	}
	return []int{10_000, 100_000, 1_000_000}
}

// fill makes a queue of n jobs in a directory, and has them done if they are to be finished. Claims and
// outcomes share commits.
func (l *lab) fill(dir string, n int, finish bool) error {
	q, err := queue.Open(l.ctx, dir, queue.Options{})
	if err != nil {
		return err
	}
	spec := benchSpec()
	if finish {
		spec = job.Spec{Kind: "nothing", Payload: []byte(`"` + strings.Repeat("x", commandSize-2) + `"`)}
	}
	for added := 0; added < n && err == nil; {
		specs := make([]job.Spec, min(100_000, n-added))
		for i := range specs {
			specs[i] = spec
		}
		_, err = q.EnqueueMany(l.ctx, specs, queue.EnqueueOptions{})
		added += len(specs)
	}
	if finish && err == nil {
		err = q.Run(l.ctx, queue.WorkerOptions{
			Slots: 64, NoShell: true, UntilEmpty: true,
			Handlers: map[string]queue.Handler{"nothing": func(context.Context, job.Job) error { return nil }},
		})
	}
	if closed := q.Close(); err == nil {
		err = closed
	}
	return err
}

// coldBeside times cold commands on the queue in dir, of which what tells, and on an empty one, in turns.
func (l *lab) coldBeside(dir, what, goal string) (results []result, err error) {
	const runs = 21
	empty := filepath.Join(l.dir, "empty")
	if err := l.fill(empty, 1, false); err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"status"}, {"list", "--limit", "50"}, {"enqueue", "--", "true"}} {
		var times [2][]float64
		for range runs {
			for i, d := range []string{dir, empty} {
				ms, err := timed(l.binary, append([]string{"--dir", d, "-q"}, command...)...)
				if err != nil {
					return nil, err
				}
				times[i] = append(times[i], ms)
			}
		}
		full, none := median(times[0]), median(times[1])
		results = append(results, result{
			Work:   fmt.Sprintf("`queuectl %s`, cold process, %s", command[0], what),
			Figure: fmt.Sprintf("%.1f ms", full), Bound: fmt.Sprintf("%.1f ms, the same on an empty queue", none),
			Ratio: full / none, Goal: goal,
		})
	}
	return results, nil
}

// longHistory measures what a queue costs in which many jobs have finished.
func longHistory(l *lab) ([]result, error) {
	var results []result
	for _, n := range l.sizes() {
		dir := filepath.Join(l.dir, "history")
		if err := l.fill(dir, n, true); err != nil {
			return nil, err
		}
		cold, err := l.coldBeside(dir, fmt.Sprintf("%d finished jobs", n), "≤ 2 × the bound")
		if err != nil {
			return nil, err
		}
		results = append(results, cold...)
		rs, bytes, err := l.readAll(dir, n)
		if err != nil {
			return nil, err
		}
		before := float64(bytes) / float64(n)
		results = append(results, rs...)
		if _, err := timed(l.binary, "--dir", dir, "-q", "log", "archive"); err != nil {
			return nil, err
		}
		after := float64(sizeOfLog(dir)+sizeOf(dir, "archive")) / float64(n)
		results = append(results, result{
			Work:   fmt.Sprintf("disk of the whole life of a job, 100-byte payload, %d jobs, claims and outcomes sharing commits", n),
			Figure: fmt.Sprintf("%.0f B, archived %.0f B", before, after), Bound: "—", Goal: "≤ 400 B, archived ≤ 100 B",
		})
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// readAll measures reading the whole log, part of which is archived: replay and verify. It also returns the size
// of the log as it was written.
func (l *lab) readAll(dir string, n int) ([]result, int64, error) {
	start := time.Now()
	r, err := queue.OpenReplay(dir)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	if err := r.To(l.ctx, queue.Moment{}); err != nil {
		return nil, 0, err
	}
	replay, events := time.Since(start).Seconds(), float64(r.Position())
	start = time.Now()
	out, err := exec.Command(l.binary, "--dir", dir, "log", "verify", "-o", "json").Output()
	if err != nil {
		return nil, 0, fmt.Errorf("verify: %w", err)
	}
	verify := time.Since(start).Seconds()
	var report struct{ Bytes int64 }
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, 0, fmt.Errorf("verify: %w", err)
	}
	bytes := report.Bytes
	bound := hashing(bytes)
	return []result{
		{
			Work:   fmt.Sprintf("replay: read, check, decode, fold, timeline, one core, %.1g events", events),
			Figure: fmt.Sprintf("%.2f M events/s", events/replay/1e6), Bound: fmt.Sprintf("%.2f M events/s, SHA-256 and CRC of the same bytes", events/bound/1e6),
			Ratio: bound / replay, Goal: "≥ 3 M events/s",
		},
		{
			Work:   fmt.Sprintf("`queuectl log verify`, the log of %d jobs, %d MB", n, bytes/1e6),
			Figure: fmt.Sprintf("%.2f GB/s", float64(bytes)/verify/1e9), Bound: fmt.Sprintf("%.2f GB/s, SHA-256 and CRC of the same bytes", float64(bytes)/bound/1e9),
			Ratio: bound / verify, Goal: "≥ 0.5 GB/s",
		},
	}, bytes, nil
}

// hashing returns how many seconds the checks of so many bytes take by themselves.
func hashing(bytes int64) float64 {
	piece := make([]byte, 64<<10)
	table := crc32.MakeTable(crc32.Castagnoli)
	start := time.Now()
	for done := int64(0); done < bytes; done += int64(len(piece)) {
		sum := sha256.Sum256(piece)
		piece[0] = sum[0] + byte(crc32.Checksum(piece, table))
	}
	return time.Since(start).Seconds()
}

// sizeOf is the size of the files in a directory of a queue.
func sizeOf(dir, sub string) (size int64) {
	entries, _ := os.ReadDir(filepath.Join(dir, sub))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
	}
	return size
}

// longQueue measures what a queue costs in which many jobs wait, and how long an append takes at most while a
// snapshot of them is written.
func longQueue(l *lab) ([]result, error) {
	var results []result
	for _, n := range l.sizes() {
		dir := filepath.Join(l.dir, "pending")
		if err := l.fill(dir, n, false); err != nil {
			return nil, err
		}
		cold, err := l.coldBeside(dir, fmt.Sprintf("%d pending jobs", n), "≤ 500 ms")
		if err != nil {
			return nil, err
		}
		results = append(results, cold...)
		quiet, busy, err := l.stall(dir)
		if err != nil {
			return nil, err
		}
		results = append(results, result{
			Work:   fmt.Sprintf("the longest of the appends while a snapshot of all of %d pending jobs is written", n),
			Figure: fmt.Sprintf("%.1f ms, p99 %.1f ms", quantile(busy, 1), quantile(busy, 0.99)),
			Bound:  fmt.Sprintf("%.1f ms, p99 %.1f ms, while none is", quantile(quiet, 1), quantile(quiet, 0.99)),
			Ratio:  quantile(busy, 1) / quantile(quiet, 1), Goal: "≤ 10 ms more",
		})
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// stall appends one job after the other, first alone and then while a snapshot is written from nothing by
// this process, and returns how long each took, in milliseconds.
func (l *lab) stall(dir string) (quiet, busy []float64, err error) {
	q, err := queue.Open(l.ctx, dir, queue.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer q.Close()
	if _, err := q.Snapshot(l.ctx); err != nil { // so that none is written by itself
		return nil, nil, err
	}
	appendOne := func(to *[]float64) error {
		start := time.Now()
		_, err := q.Enqueue(l.ctx, benchSpec())
		*to = append(*to, float64(time.Since(start).Microseconds())/1000)
		return err
	}
	for range 200 {
		if err := appendOne(&quiet); err != nil {
			return nil, nil, err
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "snapshot")); err != nil {
		return nil, nil, err
	}
	written := make(chan error, 1)
	go func() {
		_, err := q.Snapshot(l.ctx)
		written <- err
	}()
	for {
		select {
		case err := <-written:
			return quiet, busy, err
		default:
			if err := appendOne(&busy); err != nil {
				return nil, nil, err
			}
		}
	}
}
