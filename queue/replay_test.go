package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
	"pgregory.net/rapid"
)

func replay(t *testing.T, q *queue.Queue) *queue.Replay {
	t.Helper()
	r, err := q.Replay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// handlers are of jobs that succeed ("good"), and that fail ("bad").
var handlers = map[string]queue.Handler{
	"good": func(context.Context, job.Job) error { return nil },
	"bad":  func(context.Context, job.Job) error { return errors.New("no") },
}

// act does something to a queue, whatever the dice say; most of it is refused at times.
func act(t *rapid.T, q *queue.Queue, clock *queuetest.Clock) {
	ctx := t.Context()
	id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id")
	switch rapid.SampledFrom([]string{"enqueue", "enqueue", "drain", "wait", "step", "cancel", "retry", "set", "unset"}).Draw(t, "act") {
	case "enqueue":
		kind := rapid.SampledFrom([]string{"good", "bad", "unserved"}).Draw(t, "kind")
		retries := rapid.Uint32Range(0, 2).Draw(t, "retries")
		_, _ = q.Enqueue(ctx, job.Spec{ID: id, Kind: kind, MaxRetries: &retries, Queue: "q" + id})
	case "drain":
		if err := queuetest.Drain(ctx, q, handlers); err != nil {
			t.Fatal(err)
		}
	case "wait":
		clock.Advance(time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds")) * time.Second)
	case "step":
		clock.Step(-time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds")) * time.Second)
	case "cancel":
		_ = q.Cancel(ctx, id)
	case "retry":
		_ = q.Retry(ctx, false, id)
	case "set":
		_, _ = q.SetConfig(ctx, "backoff_base", fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "base")))
	case "unset":
		_ = q.UnsetConfig(ctx, "backoff_base")
	}
}

// TestReplay_GivesEveryStateThatWas: at each position that a queue stood at, a replay of its log answers as the
// queue did then, whether it goes there at once or event by event.
func TestReplay_GivesEveryStateThatWas(t *testing.T) {
	t.Parallel()
	type answers struct {
		digest [32]byte
		status queue.Status
		jobs   []job.Job
		config []queue.Setting
		dead   int
	}
	rapid.Check(t, func(t *rapid.T) {
		clock := queuetest.NewClock(queuetest.Start)
		ctx := t.Context()
		q, err := queue.NewMemory().Open(ctx, queue.Options{Now: clock.Now, Elapsed: clock.Elapsed})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		dead := projection.Filter{States: []job.State{job.Dead}}
		var was []answers
		for range rapid.IntRange(1, 20).Draw(t, "acts") {
			act(t, q, clock)
			var a answers
			var errs [5]error
			a.digest, errs[0] = q.Digest(ctx)
			a.status, errs[1] = q.Status(ctx)
			a.jobs, errs[2] = q.List(ctx, projection.Filter{})
			a.config, errs[3] = q.Config(ctx)
			a.dead, errs[4] = q.Count(ctx, dead)
			if err := errors.Join(errs[:]...); err != nil {
				t.Fatal(err)
			}
			was = append(was, a)
		}
		leap, err := q.Replay(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer leap.Close()
		step, err := q.Replay(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer step.Close()
		for _, want := range was {
			if err := leap.To(ctx, queue.Moment{Position: want.status.Position}); err != nil {
				t.Fatal(err)
			}
			for step.Position() < want.status.Position {
				if _, err := step.Next(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range []*queue.Replay{leap, step} {
				got := answers{
					digest: r.Digest(), status: r.Status(), jobs: slices.Collect(r.List(projection.Filter{})),
					config: r.Config(), dead: r.Count(dead),
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("at %d:\n got %+v\nwant %+v", want.status.Position, got, want)
				}
			}
		}
	})
}

func TestReplay_NextGivesTheEventsAndFollowsTheLog(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"}, job.Spec{ID: "b", Kind: "good"})
	r := replay(t, q)
	read := 0
	if err := q.Read(t.Context(), func(want queue.Record) error {
		read++
		got, err := r.Next(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		return nil
	}); err != nil || read != 3 {
		t.Fatalf("read %d events, %v", read, err)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want EOF", err)
	}
	if err := q.Cancel(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	got, err := r.Next(t.Context())
	if _, ok := got.Event.(*job.JobCancelled); !ok || err != nil {
		t.Errorf("after one more event: got %+v, %v", got, err)
	}
	if b, err := r.Job("b"); err != nil || b.State != job.Cancelled {
		t.Errorf("b is %v, %v", b.State, err)
	}
	if _, err := r.Job("c"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("an unknown job: got %v, want ErrNotFound", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: got %v", err)
	}
}

func TestReplay_ToMeansTheLastCommitThatWasNotMadeLater(t *testing.T) {
	t.Parallel()
	q, clock := queuetest.Open(t)
	at := func(minute int) time.Time { return queuetest.Start.Add(time.Duration(minute) * time.Minute) }
	// The log is of minute 0. Events 2 and 3 share a commit of minute 1. The clock was at 9 for event 4, and
	// then set right: a ClockStepped, 5, comes with event 6, of minute 2; event 7 is of minute 3.
	clock.Advance(time.Minute)
	enqueue(t, q, job.Spec{ID: "a", Kind: "k"}, job.Spec{ID: "b", Kind: "k"})
	clock.Advance(8 * time.Minute)
	enqueue(t, q, job.Spec{ID: "c", Kind: "k"})
	clock.Step(-7 * time.Minute)
	enqueue(t, q, job.Spec{ID: "d", Kind: "k"})
	clock.Advance(time.Minute)
	enqueue(t, q, job.Spec{ID: "e", Kind: "k"})
	for _, test := range []struct {
		name   string
		from   job.Position // where the replay stands
		moment queue.Moment
		want   job.Position
		err    error
	}{
		{"position", 0, queue.Moment{Position: 4}, 4, nil},
		{"inside of a commit", 0, queue.Moment{Position: 2}, 2, nil},
		{"where it stands", 4, queue.Moment{Position: 4}, 4, nil},
		{"now", 2, queue.Moment{}, 7, nil},
		{"time of the first event", 0, queue.Moment{Time: at(0)}, 1, nil},
		{"between two commits", 0, queue.Moment{Time: at(1).Add(time.Second)}, 3, nil},
		{"time that the clock went over twice", 0, queue.Moment{Time: at(2)}, 6, nil},
		{"while the clock was wrong", 0, queue.Moment{Time: at(9)}, 7, nil},
		{"after the last event", 3, queue.Moment{Time: at(99)}, 7, nil},
		{"time zone", 0, queue.Moment{Time: at(1).In(time.FixedZone("east", 3600))}, 3, nil},
		{"passed position", 4, queue.Moment{Position: 3}, 4, queue.ErrPassed},
		{"passed time", 4, queue.Moment{Time: at(1)}, 4, queue.ErrPassed},
		{"before the first event", 0, queue.Moment{Time: at(0).Add(-1)}, 0, queue.ErrBeforeFirst},
		{"position after the last event", 3, queue.Moment{Position: 8}, 7, queue.ErrAfterLast},
	} {
		r := replay(t, q)
		for r.Position() < test.from {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.To(t.Context(), test.moment); !errors.Is(err, test.err) || r.Position() != test.want {
			t.Errorf("%s: stands at %d, %v; want %d, %v", test.name, r.Position(), err, test.want, test.err)
		}
		if test.err == nil || errors.Is(test.err, queue.ErrPassed) {
			continue
		}
		if found, err := r.Find(t.Context(), test.moment); !errors.Is(err, test.err) || found.Position != 0 {
			t.Errorf("%s: found %d, %v", test.name, found.Position, err)
		}
	}
	r := replay(t, q)
	for _, test := range []struct {
		moment queue.Moment
		want   job.Position
		minute int
	}{{queue.Moment{}, 7, 3}, {queue.Moment{Position: 4}, 4, 9}, {queue.Moment{Position: 2}, 2, 1}, {queue.Moment{Time: at(2)}, 6, 2}} {
		found, err := r.Find(t.Context(), test.moment)
		if err != nil || found.Position != test.want || !found.When().Equal(at(test.minute)) || r.Position() != 0 {
			t.Errorf("%v: found %d of %v, %v; want %d", test.moment, found.Position, found.When(), err, test.want)
		}
	}
}

func TestReplay_InsideOfACommitTheHeadIsOfTheOneBefore(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "a", Kind: "k"}, job.Spec{ID: "b", Kind: "k"})
	r := replay(t, q)
	for position, want := range map[job.Position]eventlog.Position{1: 1, 2: 1, 3: 3} {
		r := replay(t, q)
		if err := r.To(t.Context(), queue.Moment{Position: position}); err != nil || r.Status().Head.Position != want {
			t.Errorf("at %d the head is of %d, want %d (%v)", position, r.Status().Head.Position, want, err)
		}
	}
	if s := r.Status(); s.Position != 0 || !s.Time.IsZero() {
		t.Errorf("before the first event: position %d, time %v", s.Position, s.Time)
	}
}

// TestReplay_WorkersOfThePastLiveUntilTheLogSaysOtherwise: nobody can look at their locks any more.
func TestReplay_WorkersOfThePastLiveUntilTheLogSaysOtherwise(t *testing.T) {
	t.Parallel()
	q, _ := queuetest.Open(t)
	enqueue(t, q, job.Spec{ID: "a", Kind: "good"})
	if err := queuetest.Drain(t.Context(), q, handlers); err != nil {
		t.Fatal(err)
	}
	r := replay(t, q)
	var running []string
	for {
		record, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := record.Event.(job.JobClaimed); !ok {
			continue
		}
		for _, w := range r.Workers() {
			if !w.Alive {
				t.Error("the worker is dead")
			}
			running = append(running, w.RunningIDs...)
		}
	}
	if !slices.Equal(running, []string{"a"}) || len(r.Workers()) != 0 {
		t.Errorf("ran %v, and in the end there are %d workers", running, len(r.Workers()))
	}
}

func TestOpenReplay_OfADirectoryWithoutALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := queue.OpenReplay(filepath.Join(dir, "none")); !errors.Is(err, eventlog.ErrNoLog) {
		t.Errorf("got %v, want ErrNoLog", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestOpenReplay_WhileTheQueueIsOpen(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "a", Kind: "k"})
	enqueue(t, q, job.Spec{ID: "b", Kind: "k"}) // its commit says that the first is durable
	r, err := queue.OpenReplay(q.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.To(t.Context(), queue.Moment{}); err != nil || r.Count(projection.Filter{}) == 0 {
		t.Errorf("%d jobs, %v", r.Count(projection.Filter{}), err)
	}
	if r.Status().Dir != q.Dir() {
		t.Errorf("it is of %q, want %q", r.Status().Dir, q.Dir())
	}
}

func TestReplay_DamagedLogGivesWhatIsSound(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		enqueue(t, q, job.Spec{ID: id, Kind: "k", Queue: "queue-of-" + id})
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(q.Dir(), "log", "00000000000000000001")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, []byte("queue-of-c"))
	data[i] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	damage := func(err error) bool { _, ok := errors.AsType[*eventlog.CorruptError](err); return ok }
	read := func() *queue.Replay {
		r, err := queue.OpenReplay(q.Dir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	r := read()
	for position := job.Position(1); position <= 3; position++ {
		if record, err := r.Next(t.Context()); err != nil || record.At.Position != position {
			t.Fatalf("got %v, %v; want event %d", record, err, position)
		}
	}
	for range 2 {
		if _, err := r.Next(t.Context()); !damage(err) || r.Count(projection.Filter{}) != 2 {
			t.Errorf("got %v and %d jobs; want a CorruptError and what is sound", err, r.Count(projection.Filter{}))
		}
	}
	for _, test := range []struct {
		moment  queue.Moment
		want    job.Position
		damaged bool
	}{
		{queue.Moment{Position: 2}, 2, false},
		{queue.Moment{Position: 4}, 3, true},
		{queue.Moment{}, 3, true},
		{queue.Moment{Time: time.Now().Add(time.Hour)}, 3, true},
		{queue.Moment{Time: time.Unix(0, 0)}, 0, true}, // behind the damage the clock may have been wrong
	} {
		r := read()
		if err := r.To(t.Context(), test.moment); damage(err) != test.damaged || r.Position() != test.want {
			t.Errorf("%v: at %d, %v; want %d", test.moment, r.Position(), err, test.want)
		}
	}
}

// TestReplay_AnEventThatDoesNotFollowIsDamage: checksums do not make sense of it.
func TestReplay_AnEventThatDoesNotFollowIsDamage(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]job.Event{
		"misfit":     job.JobClaimed{Job: 99, Worker: 98},
		"unreadable": job.Unknown{Number: job.KindJobClaimed, Data: []byte{0xff}},
	} {
		memory := queue.NewMemory()
		q, err := memory.Open(t.Context(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		enqueue(t, q, job.Spec{ID: "a", Kind: "k"})
		r := replay(t, q)
		appendRaw(t, memory, nil, event)
		for _, move := range []func() error{
			func() error { return r.To(t.Context(), queue.Moment{}) },
			func() error { _, err := r.Next(t.Context()); return err },
			func() error { _, err := r.Next(t.Context()); return err },
		} {
			err := move()
			var damage *eventlog.CorruptError
			if !errors.As(err, &damage) || damage.Position != 3 || r.Position() != 2 {
				t.Errorf("%s: at %d, %v; want a CorruptError of position 3", name, r.Position(), err)
			}
		}
	}
}

// ignorant is a state of a log that makes nothing of its events.
type ignorant struct{}

func (ignorant) Fold(*eventlog.Entry) error { return nil }
func (ignorant) Reset()                     {}
