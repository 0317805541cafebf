package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/internal/soak"
	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

var soaks = effort.New("soak", "seconds", "how long processes work on one queue")

// TestSoak_StaysFlat lets processes work on one queue at a modest rate for as long as the budget says: jobs of many
// kinds, a schedule, cancellations, snapshots, archives, retention. Some of the processes are killed now and then and
// the wall clock of all is set; others live on, and their memory and descriptors are measured, and so is what is on
// the disk. Of all that nothing may grow, and at the end the judge of the storm must be content, and nothing be left of
// jobs that are forgotten. Latencies are told and drawn, not judged.
func TestSoak_StaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("needs the program flock (util-linux)")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc")
	}
	t.Parallel()
	seed := soaks.Seed(0)
	t.Logf("seed %d", seed)
	s := newBath(t, rand.New(rand.NewPCG(seed, seed)), time.Duration(soaks.Count(5))*time.Second)
	kills, err := s.soak(t.Context())
	s.draw()
	if err = errors.Join(err, s.drain(t.Context())); err != nil {
		t.Fatal(err)
	}
	report, err := s.hearing.Check(t.Context(), kills)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Sound() {
		t.Errorf("damage %v, lost %v, unfinished %v, unseen %v, overlaps %v, orphans %v, left %v", report.Damage,
			report.Lost, report.Unfinished, report.Unseen, report.Overlaps, report.Orphans, report.Left)
	}
	for _, what := range s.record.Grown() {
		t.Error(what)
	}
	s.forgetAll(t)
	if len(kills) == 0 || s.steps == 0 || report.Acknowledged == 0 || report.Shown == 0 {
		t.Errorf("%d kills, %d steps of the clock, %d acknowledged, %d commits shown: that was no soak",
			len(kills), s.steps, report.Acknowledged, report.Shown)
	}
	effort.Note(t, "of the second quarter and the last: %s", strings.Join(s.record.Medians(), "; "))
	effort.Report(t, map[string]int{
		"seconds": int(s.length.Seconds()), "kills": len(kills), "clock steps": s.steps, "archives pruned": s.pruned,
		"jobs": report.Jobs, "runs": report.Runs, "lost runs": report.LostRuns,
	})
}

// bath is what a queue soaks in.
type bath struct {
	t       *testing.T
	random  *rand.Rand
	length  time.Duration
	place   storm.Place
	clock   *os.File
	q       *queue.Queue // what people do, and what they let cron do
	now     func() time.Time
	hearing *storm.Hearing
	dir     string // of the plot
	steady  []*steady
	record  soak.Record
	answers int64 // how far the answers were read
	steps   int   // of the clock
	pruned  int   // archives

	mu    sync.Mutex
	due   map[job.Position]time.Time // jobs that nothing but time and workers hold back
	waits []time.Duration            // from when they were due, since the last sample
	doom  []string                   // ids of jobs to cancel
	heard job.Position
}

// steady is a process that lives to the end.
type steady struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	said  bytes.Buffer
}

func newBath(t *testing.T, random *rand.Rand, length time.Duration) *bath {
	t.Helper()
	s := &bath{
		t: t, random: random, length: length, place: storm.Place(effort.Dir(t)), dir: t.ArtifactDir(),
		due: map[job.Position]time.Time{},
	}
	prepareStorm(t, s.place)
	clock := filepath.Join(string(s.place), "clock")
	var err error
	if s.clock, err = os.Create(clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.clock.Close() })
	if err := stepClocks(s.clock, 0); err != nil {
		t.Fatal(err)
	}
	opt, err := steppedOptions(clock)
	if err != nil {
		t.Fatal(err)
	}
	s.now = opt.Now
	if s.q, err = queue.Open(t.Context(), s.place.Queue(), opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.q.Close() })
	for _, key := range []string{"retention_completed", "retention_dead"} {
		if _, err := s.q.SetConfig(t.Context(), key, s.retention().String()); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.q.AddCron(t.Context(), job.Cron{
		Name: "cron", Schedule: "@every 3s", Zone: "UTC", Missed: job.MissedOnce, Job: job.Spec{Command: stormCommand},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if s.hearing, err = s.place.Hear(); err != nil {
		t.Fatal(err)
	}
	s.hearing.May = soakMay
	t.Cleanup(func() { _ = s.hearing.Close() })
	return s
}

// retention is how long jobs stay that have ended.
func (s *bath) retention() time.Duration {
	return min(max(s.length/12, time.Second), 2*time.Minute).Round(time.Second)
}

func (s *bath) command(role storm.Role, name string) *exec.Cmd {
	if role == storm.Writer {
		role = "mixer"
	}
	return roleCommand(s.t, string(role), s.place.Queue(), nameVar+"="+name, clockVar+"="+s.clock.Name())
}

// soak is the whole of the time. It returns who was killed.
func (s *bath) soak(ctx context.Context) (kills []storm.Kill, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	rage := &storm.Storm{
		Random: rand.New(rand.NewPCG(s.random.Uint64(), 1)), Writers: 1, Workers: 1, Others: []storm.Role{storm.Follower},
		Pause: min(s.length/6, 20*time.Second), Command: s.command,
	}
	defer func() { err = errors.Join(err, s.endSteady()) }()
	for _, role := range []storm.Role{storm.Worker, storm.Writer, storm.Follower} {
		if err := s.begin(role); err != nil {
			return nil, err
		}
	}
	var group sync.WaitGroup
	var raged, listened, withdrew error
	group.Go(func() {
		defer cancel()
		kills, raged = rage.Rage(ctx)
	})
	group.Go(func() {
		defer cancel()
		listened = s.listen(ctx)
	})
	group.Go(func() {
		defer cancel()
		withdrew = s.cancel(ctx)
	})
	watched := s.watch(ctx)
	cancel()
	group.Wait()
	return kills, errors.Join(raged, listened, withdrew, watched)
}

// begin starts a process that lives to the end.
func (s *bath) begin(role storm.Role) (err error) {
	p := &steady{name: string(role), cmd: s.command(role, "steady"+string(role))}
	p.cmd.Stderr = &p.said
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start the steady %s: %w", role, err)
	}
	s.steady = append(s.steady, p)
	return nil
}

// endSteady tells those that live to the end that it has come.
func (s *bath) endSteady() (err error) {
	for _, p := range s.steady {
		_ = p.stdin.Close() // nothing was written
		if ended := p.cmd.Wait(); ended != nil {
			err = errors.Join(err, fmt.Errorf("the steady %s: %w: %s", p.name, ended, p.said.Bytes()))
		}
	}
	return err
}

// listen hears the log as it grows, as one who is shown all that happens.
func (s *bath) listen(ctx context.Context) error {
	for {
		err := s.hearing.Listen(ctx, s.note)
		if err == nil {
			err = s.hearing.Wait(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note notes when jobs became due and when they were begun, both as this process was shown it: by a clock that nobody
// sets.
func (s *bath) note(c queue.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, r := range c.Records {
		s.heard = r.At.Position
		switch e := r.Event.(type) {
		case *job.JobEnqueued:
			switch id := e.Spec.ID; {
			case strings.Contains(id, "-"+cancelled):
				s.doom = append(s.doom, id)
			case e.Spec.Queue == narrow || e.Spec.ConcurrencyKey != "":
			case e.Due == 0:
				s.due[r.At.Position] = now
			}
		case job.JobClaimed:
			if due, first := s.due[e.Job]; first {
				s.waits = append(s.waits, now.Sub(due))
				delete(s.due, e.Job)
			}
		}
	}
}

// watch measures, steps the clock, and does what people do, until ctx ends.
func (s *bath) watch(ctx context.Context) error {
	const most = 30 * time.Second // between two samples, so that a night has a thousand
	every := time.NewTicker(min(max(s.length/240, 250*time.Millisecond), most))
	defer every.Stop()
	began := time.Now()
	upkeep, step := s.length/12, s.length/10
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
		at := time.Since(began)
		err := s.sample(at)
		if at >= upkeep {
			upkeep += s.length / 12
			err = errors.Join(err, s.upkeep(ctx))
		}
		if at >= step {
			step = at + between(s.random, 0, min(s.length/5, 2*time.Minute))
			s.steps++
			err = errors.Join(err, stepClocks(s.clock, between(s.random, -farthest, farthest)))
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// cancel cancels those jobs that are there for it a moment after they were enqueued, wherever they are by then, until
// ctx ends.
func (s *bath) cancel(ctx context.Context) error {
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
		s.mu.Lock()
		doomed := s.doom
		s.doom = nil
		s.mu.Unlock()
		for _, id := range doomed {
			err := s.q.Cancel(ctx, id)
			ended := errors.Is(err, job.ErrWrongState) || errors.Is(err, job.ErrNotFound) // and is forgotten perhaps
			if err != nil && !ended && ctx.Err() == nil {
				return fmt.Errorf("cancel %s: %w", id, err)
			}
		}
	}
}

// upkeep is what people let cron do: they clean, write a snapshot, archive, and remove the archives that everybody has
// read.
func (s *bath) upkeep(ctx context.Context) error {
	s.mu.Lock()
	heard := s.heard
	s.mu.Unlock()
	for _, state := range []job.State{job.Completed, job.Dead, job.Cancelled} {
		if _, err := s.q.Forget(ctx, state, s.now().Add(-s.retention()), false); err != nil {
			return fmt.Errorf("clean: %w", err)
		}
	}
	if _, err := s.q.Snapshot(ctx); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	list, err := queue.Prunable(ctx, s.place.Queue(), queue.Moment{Position: heard})
	if err == nil && len(list) > 0 { // those of the last time: who reads has gone on since
		var did queue.Pruned
		did, err = s.q.Prune(ctx, list[len(list)-1].Last)
		s.pruned += did.Archives
	}
	if err == nil {
		_, err = queue.Archive(ctx, s.place.Queue(), eventlog.ArchiveOptions{})
	}
	if err != nil {
		return fmt.Errorf("archive and prune: %w", err)
	}
	s.draw()
	return nil
}

// sample measures everything.
func (s *bath) sample(at time.Duration) error {
	s.record.Begin(at)
	for _, p := range s.steady {
		memory, descriptors, err := soak.Process(p.cmd.Process.Pid)
		if err != nil {
			return fmt.Errorf("the steady %s has ended: %w", p.name, err)
		}
		s.record.Set(soak.Memory, p.name, float64(memory))
		s.record.Set(soak.Descriptors, p.name, float64(descriptors))
	}
	for _, part := range []struct {
		name string
		dirs []string
	}{
		{"log", []string{"log", "sealed"}}, // a segment goes from one to the other
		{"archive", []string{"archive", "base"}},
		{"snapshot", []string{"snapshot"}},
		{"output", []string{"output"}},
		{"runs", []string{"runs"}},
		{"workers", []string{"workers"}},
		{"all", []string{"."}},
	} {
		bytes, files := int64(0), 0
		for _, dir := range part.dirs {
			size, n, err := soak.Directory(filepath.Join(s.place.Queue(), dir))
			if err != nil {
				return err
			}
			bytes, files = bytes+size, files+n
		}
		s.record.Set(soak.Disk, part.name, float64(bytes))
		s.record.Set(soak.Files, part.name, float64(files))
	}
	s.mu.Lock()
	waits := s.waits
	s.waits = nil
	s.mu.Unlock()
	took, next, err := s.place.Answers(s.answers)
	s.answers = next
	s.latency("answer of an enqueue", took)
	s.latency("start of what is due", waits)
	return err
}

func (s *bath) latency(name string, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	spread := disk.SpreadOf(took)
	s.record.Set(soak.Usually, name, spread.P50.Seconds())
	s.record.Set(soak.AtMost, name, spread.P99.Seconds())
}

// draw writes what was measured so far.
func (s *bath) draw() {
	for name, write := range map[string]func(io.Writer) error{"soak.csv": s.record.CSV, "soak.svg": s.record.SVG} {
		var b bytes.Buffer
		err := write(&b)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, name), b.Bytes(), 0o644)
		}
		if err != nil {
			s.t.Errorf("plot: %v", err)
		}
	}
}

// farthest is how far the clocks are from the right time at most.
const farthest = 90 * time.Second

// drain lets one process do what is left. A process that begins then knows only the times that are in the log, so that
// the clock has to come to them.
func (s *bath) drain(ctx context.Context) error {
	err := errors.Join(s.q.RemoveCron(ctx, "cron"), stepClocks(s.clock, farthest))
	return errors.Join(err, (&storm.Storm{Command: s.command}).Drain(ctx), s.place.Settle(ctx))
}

// forgetAll lets all jobs go: nothing may be left of them but what the log says.
func (s *bath) forgetAll(t *testing.T) {
	t.Helper()
	for _, state := range []job.State{job.Completed, job.Dead, job.Cancelled} {
		if _, err := s.q.Forget(t.Context(), state, s.now().Add(time.Hour), false); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.q.Count(t.Context(), projection.Filter{}); err != nil || n > 0 {
		t.Errorf("%d jobs are left, %v", n, err)
	}
	if size, files, err := soak.Directory(filepath.Join(s.place.Queue(), "output")); files > 0 || err != nil {
		t.Errorf("%d files with %d bytes of output are left, %v", files, size, err)
	}
}
