package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

var storms = effort.New("storm", "kills", "how many processes to kill")

// stormCommand says so in a file if another run of the same job is alive: each run holds a lock of its
// job's while anything of it lives.
const stormCommand = `exec 9>>"$DIR/../$QUEUECTL_JOB_ID.lock"
flock -n 9 || echo "$QUEUECTL_JOB_ID run $QUEUECTL_RUN" >>"$DIR/../overlaps"
sleep 0.0$((QUEUECTL_RUN % 10))`

// TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce kills writers and workers at random, a hundred
// times, and then proves from the log and from what the processes saw: every acknowledged job is there,
// each has completed, no two runs of one job overlapped, and the log is sound.
func TestStorm_KillsLoseNothingAndRunNothingTwiceAtOnce(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("needs the program flock (util-linux)")
	}
	seed, kills := storms.Seed(0), storms.Count(100)
	t.Logf("seed %d", seed)
	s := newStorm(t, rand.New(rand.NewPCG(seed, seed)))
	s.start(4, 3)
	for range kills {
		time.Sleep(time.Duration(s.random.IntN(30)) * time.Millisecond) // when to strike is the seed's choice
		s.strike()
	}
	s.end()
	s.check()
	effort.Report(t, map[string]int{"kills": kills})
}

type storm struct {
	t      *testing.T
	random *rand.Rand
	root   string
	dir    string
	acked  *os.File
	lives  []*life
	names  int
}

// life is a process that is restarted when it was killed.
type life struct {
	role string
	cmd  *exec.Cmd
}

func newStorm(t *testing.T, random *rand.Rand) *storm {
	root := effort.Dir(t)
	acked, err := os.OpenFile(filepath.Join(root, "acknowledged"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = acked.Close() })
	return &storm{t: t, random: random, root: root, dir: filepath.Join(root, "queue"), acked: acked}
}

func (s *storm) begin(l *life) {
	s.names++
	l.cmd = role(s.t, l.role, s.dir, s.acked, fmt.Sprintf("%s=%s%d", nameVar, l.role, s.names))
}

func (s *storm) start(writers, workers int) {
	for i := range writers + workers {
		l := &life{role: "writer"}
		if i >= writers {
			l.role = "worker"
		}
		s.begin(l)
		s.lives = append(s.lives, l)
	}
}

func (s *storm) kill(l *life) {
	if err := l.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("%s ended by itself: %v", l.role, err)
	}
	_ = l.cmd.Wait() // it was killed
}

func (s *storm) strike() {
	l := s.lives[s.random.IntN(len(s.lives))]
	s.kill(l)
	s.begin(l)
}

// end kills everybody and lets a new worker do what is left.
func (s *storm) end() {
	for _, l := range s.lives {
		s.kill(l)
	}
	if err := role(s.t, "drainer", s.dir, os.Stdout).Wait(); err != nil {
		s.t.Fatalf("drain: %v", err)
	}
}

func (s *storm) check() {
	report, err := eventlog.Verify(context.Background(), s.dir, eventlog.VerifyOptions{})
	if err != nil || len(report.Damage) > 0 {
		s.t.Fatalf("verify: %v, damage %v", err, report)
	}
	if overlaps, err := os.ReadFile(filepath.Join(s.root, "overlaps")); err == nil {
		s.t.Errorf("runs of one job overlapped:\n%s", overlaps)
	}
	q := open(s.t, s.dir)
	jobs, err := q.List(s.t.Context(), projection.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	states := map[string]job.State{}
	for _, j := range jobs {
		states[j.Spec.ID] = j.State
		// A job that was unlucky more often than max_crashes is dead, which the rules ask for.
		if j.State != job.Completed && (j.State != job.Dead || j.Crashes <= 3) {
			s.t.Errorf("%s is %s: %s", j.Spec.ID, j.State, j.LastError)
		}
	}
	acked := s.acknowledged()
	for _, id := range acked {
		if states[id] == 0 {
			s.t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	s.t.Logf("%d jobs, %d acknowledged, %d events", len(jobs), len(acked), report.Events)
	s.checkRuns(q)
	for _, folder := range []string{"runs", "workers"} {
		if left, err := os.ReadDir(filepath.Join(s.dir, folder)); err != nil || len(left) > 0 {
			s.t.Errorf("%s still holds %v (%v)", folder, left, err)
		}
	}
}

func (s *storm) acknowledged() (ids []string) {
	if _, err := s.acked.Seek(0, 0); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(s.acked)
	for lines.Scan() {
		ids = append(ids, lines.Text())
	}
	return ids
}

// checkRuns reads from the log that each run ended before the next of its job began.
func (s *storm) checkRuns(q *queue.Queue) {
	current := map[job.Position]bool{}
	err := q.Read(s.t.Context(), func(r queue.Record) error {
		key := job.Of(r.Event)
		switch r.Event.(type) {
		case job.JobClaimed:
			if current[key] {
				s.t.Errorf("event %d claims job %d, which runs", r.At.Position, key)
			}
			current[key] = true
		case *job.JobCompleted, *job.JobFailed, *job.JobDied, job.RunLost, job.RunReturned, *job.JobCancelled:
			current[key] = false
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
