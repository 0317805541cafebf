package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/stats"
)

// printStats shows the sum to people.
func printStats(s *session, sum *stats.Stats) {
	v := viewStats(sum)
	if v.Events == 0 {
		s.printf("There are no events in this part of the log.")
		return
	}
	s.fields(
		[2]string{"from", fmt.Sprintf("%s, position %d", clock(v.From.Time), v.From.Position)},
		[2]string{"to", fmt.Sprintf("%s, position %d", clock(v.To.Time), v.To.Position)},
		[2]string{"events", fmt.Sprintf("%d in %s, %s", v.Events, count(int(v.Commits), "commit"), size(int64(v.Bytes)))},
	)
	kinds := table{header: []string{"EVENT", "NUMBER", "SIZE", "SIZE EACH"}}
	slices.SortStableFunc(v.Kinds, func(a, b kindView) int { return int(b.Events) - int(a.Events) })
	for _, k := range v.Kinds {
		kinds.add(text(k.Kind), text(fmt.Sprint(k.Events)), text(size(int64(k.Bytes))), text(size(int64(k.Bytes/k.Events))))
	}
	s.printf("")
	kinds.print(s)
	if len(v.Queues) == 0 {
		return
	}
	s.printf("")
	jobsTable(v).print(s)
	s.printf("")
	timesTable(sum).print(s)
	if s.out.terminal {
		plotRates(s, sum)
	}
}

// clock is a time as it was on the clock on the wall.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// jobsTable says what became of the jobs of each queue.
func jobsTable(v statsView) table {
	t := table{
		header: []string{"QUEUE", "ENQUEUED", "COMPLETED", "DEAD", "CANCELLED", "RUNS", "FAILED", "LOST"},
		spare:  []string{"LOST", "CANCELLED", "FAILED"},
	}
	row := func(name string, q queueSums) {
		t.add(text(name), text(fmt.Sprint(q.Enqueued)), text(fmt.Sprint(q.Completed)), text(fmt.Sprint(q.Dead)),
			text(fmt.Sprint(q.Cancelled)), text(fmt.Sprint(q.Started)), text(fmt.Sprint(q.Failed)), text(fmt.Sprint(q.Lost)))
	}
	for _, q := range v.Queues {
		row(q.Queue, q.queueSums)
	}
	if len(v.Queues) > 1 {
		row("(all)", v.Total)
	}
	return t
}

// timesTable says how long the jobs of each queue waited and ran.
func timesTable(sum *stats.Stats) table {
	t := table{header: []string{"QUEUE", "", "P50", "P90", "P99", "MAX"}}
	add := func(name, what string, h *stats.Histogram, form func(int64) string) {
		if h.Count() == 0 {
			t.add(text(name), text(what), text("-"), text("-"), text("-"), text("-"))
			return
		}
		t.add(text(name), text(what), text(form(h.Quantile(0.5))), text(form(h.Quantile(0.9))), text(form(h.Quantile(0.99))), text(form(h.Max())))
	}
	row := func(name string, q *stats.Queue) {
		duration := func(ns int64) string { return threeDigits(time.Duration(ns)) }
		add(name, "waited", &q.Waiting, duration)
		add("", "ran", &q.Running, duration)
		add("", "attempts", &q.Attempts, func(n int64) string { return fmt.Sprint(n) })
	}
	for _, name := range slices.Sorted(maps.Keys(sum.Queues)) {
		row(name, sum.Queues[name])
	}
	if len(sum.Queues) > 1 {
		row("(all)", sum.Total())
	}
	return t
}

// plotRates draws how many jobs came and how many completed over time.
func plotRates(s *session, sum *stats.Stats) {
	spans, width := sum.Rates()
	if len(spans) < 2 {
		return // a moment has no course
	}
	const height, labels, widest = 5, 12, 100
	columns := widest
	if s.out.width > 0 {
		columns = min(columns, s.out.width-labels)
	}
	for _, plot := range []struct {
		what string
		of   func(stats.Span) uint64
	}{
		{"jobs enqueued", func(s stats.Span) uint64 { return s.Enqueued }},
		{"jobs completed", func(s stats.Span) uint64 { return s.Completed }},
	} {
		values := make([]float64, len(spans))
		for i, span := range spans {
			values[i] = float64(plot.of(span))
		}
		if columns < 10 || slices.Max(values) == 0 {
			continue
		}
		s.printf("")
		s.printf("%s", s.paint(grey, fmt.Sprintf("%s in %v, from %s to %s", plot.what, shortly(width),
			clock(spans[0].Start), clock(spans[len(spans)-1].Start.Add(width)))))
		s.printf("%s", asciigraph.Plot(values, asciigraph.Height(height), asciigraph.Width(columns),
			asciigraph.LowerBound(0), asciigraph.Precision(0)))
	}
}

// shortly prints a round duration: 5m, 1h, 7d.
func shortly(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day {
		return fmt.Sprintf("%dd", d/day)
	}
	return job.FormatDuration(d)
}
