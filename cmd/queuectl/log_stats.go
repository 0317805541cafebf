package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/stats"
)

type logStatsCmd struct {
	spanFlags
}

// Help is shown below the usage line.
func (logStatsCmd) Help() string {
	return `How many events there are of each kind and how large they are; how many jobs came and ended in each
queue; how long they waited once they were due, how long they ran, and how many attempts they
needed; and how all that was spread over time. On a terminal: tables and plots. Through a pipe: one
JSON document.

p50 is the median: half of the values are not larger. p99 is what one in a hundred exceeds.
Percentiles are within 0.4 % of a value that occurred, counts and maxima exact.

With --from, jobs that were enqueued earlier count only with what can be told: how long they ran,
and how long they waited after their first run.

` + momentHelp + `

Examples:

  queuectl log stats
  queuectl log stats --from 24h
  queuectl log stats --from 03:00 --to 04:00 -o json | jq '.queues[] | {queue, waiting}'`
}

// Run sums up. It opens no queue, so that it needs no memory for its state.
func (c *logStatsCmd) Run(ctx context.Context, s *session) error {
	var f queue.EventFilter
	var err error
	if f.From, f.To, err = c.read(s); err != nil {
		return err
	}
	sum, err := sumUp(ctx, s.dir, f)
	if _, damaged := errors.AsType[*eventlog.CorruptError](err); err != nil && !damaged {
		return err
	}
	if s.quiet {
		return err
	}
	if s.asTable() {
		printStats(s, sum)
		return err
	}
	return firstOf(s.document(viewStats(sum)), err) // of a damaged log, of what is sound
}

// sumUp reads what the filter selects. With an error, it returns the sum of what was read before.
func sumUp(ctx context.Context, dir string, f queue.EventFilter) (*stats.Stats, error) {
	sum := &stats.Stats{}
	trail, err := queue.OpenTrail(dir, f.From.Position)
	if err != nil {
		return sum, err
	}
	defer trail.Close() // only reads: nothing can be lost
	for {
		commit, err := trail.Next(ctx)
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		if f.Past(job.Position(commit.First)) {
			return sum, nil
		}
		any := false
		for i, r := range commit.Records {
			if f.Match(r) {
				any = true
				sum.Fold(stats.Record{At: r.At, Event: r.Event, Queue: r.Queue, Size: len(commit.Events[i].Data)})
			}
		}
		if any {
			sum.Commit(commit.Size)
		}
	}
}

// statsView is the sum as JSON.
type statsView struct {
	From    *momentView  `json:"from"` // the first event; null = there is none
	To      *momentView  `json:"to"`
	Events  uint64       `json:"events"`
	Commits uint64       `json:"commits"`
	Bytes   uint64       `json:"bytes"` // of the commits
	Kinds   []kindView   `json:"kinds"`
	Total   queueSums    `json:"total"`
	Queues  []queueStats `json:"queues"`
	Rates   ratesView    `json:"rates"`
}

type momentView struct {
	Position job.Position `json:"position"`
	Time     time.Time    `json:"time"`
}

type kindView struct {
	Kind   string `json:"kind"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"` // of the events alone
}

type queueStats struct {
	Queue string `json:"queue"`
	queueSums
}

type queueSums struct {
	Enqueued  uint64      `json:"enqueued"`
	Completed uint64      `json:"completed"`
	Dead      uint64      `json:"dead"`
	Cancelled uint64      `json:"cancelled"`
	Started   uint64      `json:"runs_started"`
	Failed    uint64      `json:"runs_failed"`
	Lost      uint64      `json:"runs_lost"`
	Waiting   percentiles `json:"waiting_seconds"`
	Running   percentiles `json:"running_seconds"`
	Attempts  percentiles `json:"attempts"`
}

// percentiles are null where there is no value.
type percentiles struct {
	Count uint64   `json:"count"`
	P50   *float64 `json:"p50"`
	P90   *float64 `json:"p90"`
	P99   *float64 `json:"p99"`
	Max   *float64 `json:"max"`
}

type ratesView struct {
	SpanSeconds float64    `json:"span_seconds"`
	Spans       []spanView `json:"spans"`
}

type spanView struct {
	Start     time.Time `json:"start"`
	Events    uint64    `json:"events"`
	Enqueued  uint64    `json:"enqueued"`
	Started   uint64    `json:"runs_started"`
	Completed uint64    `json:"completed"`
	Failed    uint64    `json:"runs_failed"` // or lost
}

func viewStats(sum *stats.Stats) statsView {
	spans, width := sum.Rates()
	v := statsView{
		Commits: sum.Commits, Bytes: sum.Bytes, Total: viewSums(sum.Total()),
		Kinds: []kindView{}, Queues: []queueStats{}, Rates: ratesView{width.Seconds(), []spanView{}},
	}
	for _, k := range slices.Sorted(maps.Keys(sum.Kinds)) {
		tally := sum.Kinds[k]
		v.Events += tally.Events
		v.Kinds = append(v.Kinds, kindView{k.String(), tally.Events, tally.Bytes})
	}
	if v.Events > 0 {
		v.From = &momentView{sum.First.Position, sum.First.When()}
		v.To = &momentView{sum.Last.Position, sum.Last.When()}
	}
	for _, name := range slices.Sorted(maps.Keys(sum.Queues)) {
		v.Queues = append(v.Queues, queueStats{name, viewSums(sum.Queues[name])})
	}
	for _, s := range spans {
		v.Rates.Spans = append(v.Rates.Spans, spanView(s))
	}
	return v
}

func viewSums(q *stats.Queue) queueSums {
	nanoseconds := float64(time.Second)
	return queueSums{
		Enqueued: q.Enqueued, Completed: q.Completed, Dead: q.Dead, Cancelled: q.Cancelled,
		Started: q.Started, Failed: q.Failed, Lost: q.Lost,
		Waiting: viewPercentiles(&q.Waiting, nanoseconds), Running: viewPercentiles(&q.Running, nanoseconds),
		Attempts: viewPercentiles(&q.Attempts, 1),
	}
}

func viewPercentiles(h *stats.Histogram, unit float64) percentiles {
	p := percentiles{Count: h.Count()}
	if p.Count == 0 {
		return p
	}
	in := func(v int64) *float64 { return new(float64(v) / unit) }
	p.P50, p.P90, p.P99, p.Max = in(h.Quantile(0.5)), in(h.Quantile(0.9)), in(h.Quantile(0.99)), in(h.Max())
	return p
}
