package queue_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// nothing is a State that makes nothing of a log.
type nothing struct{}

func (nothing) Fold(*eventlog.Entry) error { return nil }
func (nothing) Reset()                     {}

// writeHistory makes a log of about n events in dir: jobs with commands of 100 bytes that come in bulk, run
// and are completed.
func writeHistory(b *testing.B, dir string, n int) (events int) {
	b.Helper()
	pack := func(list []job.Event) (packed []eventlog.Event) {
		for _, e := range list {
			packed = append(packed, eventlog.Event{Kind: uint16(job.KindOf(e)), Data: job.AppendEvent(nil, e)})
		}
		return packed
	}
	log, err := eventlog.Open(b.Context(), dir, nothing{}, eventlog.Options{
		Create: func(id eventlog.LogID) (eventlog.Meta, []eventlog.Event) {
			return eventlog.Meta{}, pack([]job.Event{
				job.LogCreated{LogID: id, Format: 1, Level: 1}, &job.WorkerStarted{ID: "w", Slots: 1, Shell: true},
			})
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	const worker, bulk = 2, 10_000
	command, retries := strings.Repeat("x", 100), uint32(3)
	lives := func(first job.Position) []job.Event {
		var list []job.Event
		for i := range job.Position(bulk) {
			id := job.MadeID(first+i, uint64(i))
			list = append(list, &job.JobEnqueued{Spec: job.Spec{ID: id, Command: command, Queue: "default", MaxRetries: &retries}})
		}
		for i := range job.Position(bulk) {
			run := first + bulk + 2*i
			end := time.Now().UnixNano()
			list = append(list, job.JobClaimed{Job: first + i, Worker: worker}, &job.JobCompleted{
				Job: first + i, Run: run,
				Result: job.Result{Start: end - 1e9, End: end, CPU: time.Millisecond, MaxRSS: 4 << 20, OutputSize: 100},
			})
		}
		return list
	}
	for events = 2; events < n; {
		added := 0
		err := log.Append(b.Context(), &eventlog.Proposal{Decide: func(t eventlog.Turn) ([]eventlog.Event, error) {
			packed := pack(lives(job.Position(t.Position)))
			added = len(packed)
			return packed, nil
		}})
		if err != nil {
			b.Fatal(err)
		}
		events += added
	}
	return events
}

// BenchmarkReplay folds a whole log, beside its bounds: reading the same log, with every check, and making
// nothing of it; and folding it without keeping a timeline, which only a scheduler needs. The largest takes a gigabyte of disk and
// as much memory.
func BenchmarkReplay(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 1_000_000 && testing.Short() {
				b.Skip("needs a run without -short, and a gigabyte")
			}
			dir := b.TempDir()
			events := writeHistory(b, dir, n)
			rate := func(b *testing.B) { b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s") }
			b.Run("scan", func(b *testing.B) {
				for b.Loop() {
					scanAll(b, dir, func(job.At, eventlog.Event) error { return nil })
				}
				rate(b)
			})
			b.Run("fold", func(b *testing.B) {
				for b.Loop() {
					p := projection.New()
					scanAll(b, dir, func(at job.At, e eventlog.Event) error {
						_, err := p.FoldEncoded(at, job.Kind(e.Kind), e.Data)
						return err
					})
				}
				rate(b)
			})
			b.Run("replay", func(b *testing.B) {
				for b.Loop() {
					r, err := queue.OpenReplay(dir)
					if err != nil {
						b.Fatal(err)
					}
					if err := r.To(b.Context(), queue.Moment{}); err != nil || int(r.Position()) != events {
						b.Fatalf("at %d of %d: %v", r.Position(), events, err)
					}
					_ = r.Close() // only read
				}
				rate(b)
			})
		})
	}
}

func scanAll(b *testing.B, dir string, take func(job.At, eventlog.Event) error) {
	r, err := eventlog.NewReader(dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for {
		entry, err := r.Next(b.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		at := job.At{Position: job.Position(entry.First), Time: entry.Time}
		for _, e := range entry.Events {
			if err := take(at, e); err != nil {
				b.Fatal(err)
			}
			at.Position++
		}
	}
}
