package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// history returns the directory of a log of about n events, as a queue would have written it: jobs that come in bulk, are
// claimed and are completed. It is written directly, since ten million events take long to live through.
func (l *lab) history(n int) (string, error) {
	dir := filepath.Join(l.dir, fmt.Sprint("history-", n))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	log, err := eventlog.Open(l.ctx, dir, unheard{}, eventlog.Options{
		Create: func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			return eventlog.Meta{}, packed(job.LogCreated{LogID: id, Format: 1, Level: 1}, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true})
		},
	})
	if err != nil {
		return "", err
	}
	defer log.Close()
	for events := 2; events < n; {
		err := log.Append(l.ctx, &eventlog.Proposal{Decide: func(t eventlog.Turn) ([]eventlog.Event, error) {
			list := lives(job.Position(t.Position), min(1_000, (n-events+2)/3))
			events += len(list)
			return list, nil
		}})
		if err != nil {
			return "", err
		}
	}
	return dir, log.Close()
}

// unheard is a State that makes nothing of a log.
type unheard struct{}

func (unheard) Fold(*eventlog.Entry) error { return nil }
func (unheard) Reset()                     {}

func packed(events ...job.Event) (list []eventlog.Event) {
	for _, e := range events {
		list = append(list, eventlog.Event{Kind: uint16(job.KindOf(e)), Data: job.AppendEvent(nil, e)})
	}
	return list
}

// lives are the events of so many jobs from a position on.
func lives(first job.Position, jobs int) (list []eventlog.Event) {
	const worker = 2
	retries, now := uint32(3), time.Now().UnixNano()
	for i := range job.Position(jobs) {
		spec := job.Spec{ID: job.MadeID(first+i, uint64(i)), Command: benchSpec().Command, Queue: job.DefaultQueue, MaxRetries: &retries}
		list = append(list, packed(&job.JobEnqueued{Spec: spec})...)
	}
	for i := range job.Position(jobs) {
		run := first + job.Position(jobs) + 2*i
		list = append(list, packed(job.JobClaimed{Job: first + i, Worker: worker}, &job.JobCompleted{
			Job: first + i, Run: run,
			Result: job.Result{Start: now - 1e9, End: now, CPU: time.Millisecond, MaxRSS: 4 << 20, OutputSize: 100},
		})...)
	}
	return list
}

// childReplay folds a whole log, and tells how many events it has.
func childReplay(ctx context.Context, c *child) error {
	r, err := queue.OpenReplay(c.Dir)
	if err != nil {
		return err
	}
	defer r.Close()
	c.ready()
	if err := r.To(ctx, queue.Moment{}); err != nil {
		return err
	}
	c.done(float64(r.Position()))
	return nil
}

func (l *lab) histories() []int {
	if l.quick {
		return []int{3_000, 30_000, 300_000}
	}
	return []int{100_000, 1_000_000, 10_000_000}
}

func replay(l *lab) (results []result, err error) {
	for _, cores := range []string{"one core", "all cores"} {
		before := []string{}
		if cores == "one core" {
			before = []string{"env", "GOMAXPROCS=1"}
		}
		for _, n := range l.histories() {
			dir, err := l.history(n)
			if err != nil {
				return nil, err
			}
			var events float64
			turns, err := inTurns(3, func() (float64, error) {
				o, err := l.under(before, 1, "replay", load{Dir: dir})
				if err != nil {
					return 0, err
				}
				events = o.figures[0]
				return events / o.seconds, nil
			}, func() (float64, error) {
				seconds, err := scan(dir)
				return events / seconds, err
			})
			if err != nil {
				return nil, err
			}
			rate, bound := median(turns.ours), median(turns.bound)
			r := result{
				Work: "replay of n events: read, check, decode, fold, timeline, " + cores, N: n, Value: rate, Unit: "1/s", cost: 1 / rate,
				Figure: fmt.Sprintf("%.2f M/s", rate/1e6), Bound: fmt.Sprintf("%.1f M/s, scan + CRC of the same bytes", bound/1e6), BoundValue: bound, Ratio: turns.ratio(),
			}
			if cores == "one core" {
				r = r.must("≥ 3 M/s a core", rate >= 3e6)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

func verify(l *lab) (results []result, err error) {
	for _, n := range l.histories() {
		dir, err := l.history(n)
		if err != nil {
			return nil, err
		}
		var bytes int64
		turns, err := inTurns(3, func() (float64, error) {
			start := time.Now()
			report, err := l.verified(dir)
			bytes = report.Bytes
			return float64(bytes) / time.Since(start).Seconds() / 1e9, err
		}, func() (float64, error) { return float64(bytes) / hashing(bytes) / 1e9, nil })
		if err != nil {
			return nil, err
		}
		rate, bound := median(turns.ours), median(turns.bound)
		results = append(results, result{
			Work: "`queuectl log verify` of n events, cold process", N: n, Value: rate, Unit: "GB/s", Figure: fmt.Sprintf("%.2f GB/s of %d MB", rate, bytes/1e6),
			Bound: fmt.Sprintf("%.2f GB/s, SHA-256 and CRC of as many bytes", bound), BoundValue: bound, Ratio: turns.ratio(), cost: 1 / rate,
		}.must("≥ 0.5 GB/s", rate >= 0.5))
	}
	return results, nil
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
