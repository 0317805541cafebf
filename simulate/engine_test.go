package simulate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// load is jobs for the real engine: when they come, and what each of their runs does.
type load struct {
	jobs     []loadJob
	slots    int
	settings map[string]string
	meddle   meddling // called before each job comes; nil = nobody does
}

type loadJob struct {
	after time.Duration // the one before
	spec  job.Spec
	runs  []loadRun // the last one is repeated
}

type loadRun struct {
	Takes time.Duration
	Fails bool
}

// meddling is what people do, besides enqueueing.
type meddling func(ctx context.Context, s *site) error

// site is a queue at work.
type site struct {
	memory *queue.Memory
	q      *queue.Queue
	ids    []string // of the jobs that are there
	hired  []*hand
}

// hand is a worker in a process of its own.
type hand struct {
	q     *queue.Queue
	id    string
	ended chan error
}

// hire starts a worker.
func (s *site) hire(ctx context.Context, opt queue.WorkerOptions) error {
	q, err := s.memory.Open(ctx, queue.Options{})
	if err != nil {
		return err
	}
	h := &hand{q: q, ended: make(chan error, 1)}
	opt.NoShell, opt.Handlers = true, map[string]queue.Handler{"script": follow}
	opt.Started = func(w job.Worker) { h.id = w.ID }
	go func() { h.ended <- q.Run(ctx, opt) }()
	synctest.Wait()
	s.hired = append(s.hired, h)
	return nil
}

// live runs the load on the real engine, in memory, in a bubble where time passes only when all wait. It
// returns the log.
func live(t *testing.T, l load) (log []queue.Record) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		s := &site{memory: queue.NewMemory()}
		defer func() {
			end()
			for _, h := range s.hired {
				<-h.ended
				_ = h.q.Close() // of a killed process it says so
			}
			_ = s.q.Close()
		}()
		var err error
		if s.q, err = s.memory.Open(ctx, queue.Options{}); err != nil {
			t.Fatal(err)
		}
		for key, value := range l.settings {
			if _, err := s.q.SetConfig(ctx, key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.hire(ctx, queue.WorkerOptions{Slots: l.slots}); err != nil {
			t.Fatal(err)
		}
		l.play(ctx, t, s)
		if _, err := s.q.Wait(ctx, s.ids...); err != nil {
			t.Error(err)
		}
		if err := s.q.Read(ctx, func(r queue.Record) error {
			log = append(log, r)
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	return log
}

// play lets the jobs come.
func (l *load) play(ctx context.Context, t *testing.T, s *site) {
	for i, j := range l.jobs {
		time.Sleep(j.after)
		if l.meddle != nil {
			if err := l.meddle(ctx, s); err != nil && !errors.Is(err, job.ErrWrongState) {
				t.Error(err)
			}
		}
		var err error
		j.spec.ID, j.spec.Kind = fmt.Sprintf("load%d", i), "script"
		if j.spec.Payload, err = json.Marshal(j.runs); err != nil {
			t.Error(err)
		}
		switch _, err = s.q.Enqueue(ctx, j.spec); {
		case err == nil:
			s.ids = append(s.ids, j.spec.ID)
		case !errors.Is(err, job.ErrQueueFull):
			t.Error(err)
		}
	}
}

// follow does what the payload says about the job's next run.
func follow(ctx context.Context, j job.Job) error {
	var runs []loadRun
	if err := json.Unmarshal(j.Spec.Payload, &runs); err != nil {
		return err
	}
	run := runs[min(int(j.Runs-1), len(runs)-1)]
	select {
	case <-time.After(run.Takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if run.Fails {
		return errors.New("as the script says")
	}
	return nil
}
