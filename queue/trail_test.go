package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// eventful is a queue in which every kind of life has been led: jobs of two queues that completed, died,
// were retried and cancelled.
func eventful(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	q := open(t, dir)
	var specs []job.Spec
	for i := range 40 {
		specs = append(specs, job.Spec{
			ID: fmt.Sprint("job", i), Kind: []string{"good", "bad"}[i%2], Queue: []string{"", "mail"}[i%3%2],
			MaxRetries: new(uint32),
		})
	}
	enqueue(t, q, specs[:10]...)
	for _, s := range specs[10:] {
		enqueue(t, q, s)
	}
	if err := q.Cancel(t.Context(), "job4"); err != nil {
		t.Fatal(err)
	}
	run := func() {
		t.Helper()
		err := q.Run(t.Context(), queue.WorkerOptions{UntilIdle: true, Handlers: map[string]queue.Handler{
			"good": func(context.Context, job.Job) error { return nil },
			"bad":  func(context.Context, job.Job) error { return errors.New("bad") },
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	run()
	if err := q.Retry(t.Context(), true, "job1"); err != nil {
		t.Fatal(err)
	}
	run()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// trailOf returns all records from a position on, as text.
func trailOf(t *testing.T, dir string, from job.Position) (lines []string) {
	t.Helper()
	trail, err := queue.OpenTrail(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	for {
		c, err := trail.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Records {
			if r.At.Position >= from {
				lines = append(lines, recordLine(r))
			}
		}
	}
}

func recordLine(r queue.Record) string {
	return fmt.Sprintf("%d %v %d %q %q %s", r.At.Position, job.KindOf(r.Event), job.Of(r.Event), r.ID, r.Queue, r.At.Actor.User)
}

// TestTrail_NamesTheJobsWhereverItBegins: what lies before is looked up.
func TestTrail_NamesTheJobsWhereverItBegins(t *testing.T) {
	t.Parallel()
	dir := eventful(t)
	all := trailOf(t, dir, 0)
	if len(all) < 100 {
		t.Fatalf("%d events", len(all))
	}
	ids := map[job.Position]string{} // as the log says
	q := open(t, dir)
	i := 0
	err := q.Read(t.Context(), func(r queue.Record) error {
		key := job.Of(r.Event)
		if e, ok := r.Event.(*job.JobEnqueued); ok {
			key = r.At.Position
			ids[key] = e.Spec.ID
		}
		if r.ID != ids[key] || (r.Queue == "") != (r.ID == "") {
			t.Errorf("%s: want id %q", recordLine(r), ids[key])
		}
		if recordLine(r) != all[i] {
			t.Errorf("Read gives %s, a Trail %s", recordLine(r), all[i])
		}
		i++
		return nil
	})
	if err != nil || i != len(all) {
		t.Fatalf("read %d of %d: %v", i, len(all), err)
	}
	for from := range all {
		if got := trailOf(t, dir, job.Position(from+1)); !slices.Equal(got, all[from:]) {
			t.Fatalf("from %d: got %q, want %q", from+1, got, all[from:])
		}
	}
}

func TestReadFrom_BeginsAtThePosition(t *testing.T) {
	t.Parallel()
	dir := eventful(t)
	q := open(t, dir)
	last := job.Position(len(trailOf(t, dir, 0)))
	for _, from := range []job.Position{0, 1, 5, last, last + 1} {
		n := 0
		err := q.ReadFrom(t.Context(), from, func(r queue.Record) error {
			if r.At.Position < from {
				t.Errorf("from %d: got %d", from, r.At.Position)
			}
			n++
			return nil
		})
		if want := int(last - max(from, 1) + 1); err != nil || n != want {
			t.Errorf("from %d: got %d events, %v; want %d", from, n, err, want)
		}
	}
	if err := q.ReadFrom(t.Context(), last+2, nil); !errors.Is(err, eventlog.ErrBeyond) {
		t.Errorf("got %v, want ErrBeyond", err)
	}
}

// TestTrail_WhereTheEnqueueIsDamagedTheNameIsUnknown: the rest can be read all the same.
func TestTrail_WhereTheEnqueueIsDamagedTheNameIsUnknown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir)
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"})
	for i := range 4 { // more than a segment holds
		enqueue(t, q, job.Spec{ID: fmt.Sprint("large", i), Kind: "k", Payload: fmt.Appendf(nil, "%q", strings.Repeat("x", 60<<10))})
	}
	if err := q.Cancel(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "log", "00000000000000000001")
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b[100] ^= 1
	if err := os.WriteFile(first, b, 0o600); err != nil {
		t.Fatal(err)
	}
	const cancel = 2 + 4 + 1
	trail, err := queue.OpenTrail(dir, cancel)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	c, err := trail.Next(t.Context())
	if err != nil || len(c.Records) != 1 || c.Records[0].ID != "" || job.KindOf(c.Records[0].Event) != job.KindJobCancelled {
		t.Errorf("got %+v, %v; want a JobCancelled of no name", c.Records, err)
	}
}
