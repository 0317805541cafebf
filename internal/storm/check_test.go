package storm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// calm makes a place in which a few jobs have been enqueued, noted, run and seen, without any storm.
func calm(t *testing.T, ids ...string) Place {
	t.Helper()
	p := Place(t.TempDir())
	if err := p.Prepare(t.Context(), queue.Options{}); err != nil {
		t.Fatal(err)
	}
	enqueue(t, p, ids...)
	run(t, p)
	return p
}

// enqueue enqueues jobs and notes them.
func enqueue(t *testing.T, p Place, ids ...string) {
	t.Helper()
	with(t, p, func(q *queue.Queue) error {
		for _, id := range ids {
			if _, err := q.Enqueue(t.Context(), job.Spec{ID: id, Kind: "witness"}); err != nil {
				return err
			}
			note(t, p.acknowledged(), id+" 1000\n")
		}
		return nil
	})
}

// run runs what waits.
func run(t *testing.T, p Place) {
	t.Helper()
	witness := func(_ context.Context, j job.Job) error {
		return p.Witness(Run{Job: j.Spec.ID, Run: strconv.FormatUint(uint64(j.Run), 10), Child: func(*os.File) error { return nil }})
	}
	with(t, p, func(q *queue.Queue) error {
		return q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, NoShell: true, Handlers: map[string]queue.Handler{"witness": witness}})
	})
}

func with(t *testing.T, p Place, fn func(*queue.Queue) error) {
	t.Helper()
	q, err := queue.Open(t.Context(), p.Queue(), queue.Options{})
	if err == nil {
		if err = fn(q); err == nil {
			err = q.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func note(t *testing.T, path, text string) {
	t.Helper()
	f, err := appendTo(path)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, p Place) *Report {
	t.Helper()
	r, err := p.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheck_OfWhatIsAsItHasToBe(t *testing.T) {
	t.Parallel()
	p := calm(t, "a", "b", "c")
	note(t, p.acknowledged(), "d 10") // its writer died before it could write the whole line
	r := check(t, p)
	if !r.Sound() || r.Acknowledged != 3 || r.Jobs != 3 || r.Runs != 3 || r.LostRuns != 0 || r.Answer.N != 3 || r.Answer.P50 != 1000 || r.Events == 0 || r.Bytes == 0 {
		t.Errorf("got %+v", r)
	}
}

// TestCheck_SeesWhatIsPlanted: a checker that never objects proves nothing.
func TestCheck_SeesWhatIsPlanted(t *testing.T) {
	t.Parallel()
	const damaged = "damage" // and whatever is behind it
	tests := []struct {
		name  string
		plant func(t *testing.T, p Place)
		want  string // all that is said to be wrong
	}{
		{"a commit that was answered is gone from the end of a sound log", loseACommit, "Lost:[late]"},
		{"an answer to what was never written", func(t *testing.T, p Place) {
			note(t, p.acknowledged(), "ghost 5\n")
		}, "Lost:[ghost]"},
		{"a commit that a reader was shown is another one", func(t *testing.T, p Place) {
			note(t, p.shown(), "3 "+strings.Repeat("0", 64)+"\n")
		}, "Lost:[commit N]"},
		{"a commit that a reader was shown is none", func(t *testing.T, p Place) {
			note(t, p.shown(), "4000 "+strings.Repeat("0", 64)+"\n")
		}, "Lost:[commit N]"},
		{"a job that nobody runs", func(t *testing.T, p Place) { enqueue(t, p, "idle") }, "Unfinished:[idle: waits]"},
		{"a job that died", func(t *testing.T, p Place) {
			with(t, p, func(q *queue.Queue) error {
				none := uint32(0)
				if _, err := q.Enqueue(t.Context(), job.Spec{ID: "dead", Kind: "mortal", MaxRetries: &none}); err != nil {
					return err
				}
				return q.Run(t.Context(), queue.WorkerOptions{UntilEmpty: true, NoShell: true, Handlers: map[string]queue.Handler{
					"mortal": func(context.Context, job.Job) error { return fmt.Errorf("no") },
				}})
			})
		}, "Unfinished:[dead: dead]"},
		{"a completion that no command has seen", func(t *testing.T, p Place) {
			text, err := os.ReadFile(p.seen())
			if err == nil {
				err = os.WriteFile(p.seen(), []byte(strings.Replace(string(text), SawEnd+" b ", SawBegin+" b ", 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "Unseen:[b: completed by run N]"},
		{"a run while another one lives", func(t *testing.T, p Place) {
			defer hold(t, p, "late")()
			enqueue(t, p, "late")
			run(t, p)
		}, "Overlaps:[late, run N: began while something of another run lived]"},
		{"an orphan", func(t *testing.T, p Place) { t.Cleanup(hold(t, p, "b")) }, "Orphans:[b]"},
		{"the file of a run", func(t *testing.T, p Place) {
			note(t, filepath.Join(p.Queue(), "runs", "12.lock"), "")
		}, "Left:[" + filepath.Join("runs", "12.lock") + "]"},
		{"a changed bit", flipABit, damaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := calm(t, "a", "b", "c")
			if err := os.MkdirAll(filepath.Join(p.Queue(), "runs"), 0o700); err != nil {
				t.Fatal(err)
			}
			tt.plant(t, p)
			r := check(t, p)
			if r.Sound() {
				t.Error("nothing is wrong")
			}
			if got := wrongs(r); got != tt.want && tt.want != damaged || (len(r.Damage) > 0) != (tt.want == damaged) {
				t.Errorf("got %s and damage %v, want %s", got, r.Damage, tt.want)
			}
		})
	}
}

// wrongs is everything that a report objects to, with numbers of runs as N.
func wrongs(r *Report) string {
	var parts []string
	add := func(name string, list []string) {
		if len(list) > 0 {
			parts = append(parts, name+":["+strings.Join(list, " ")+"]")
		}
	}
	var overlaps []string
	for _, o := range r.Overlaps {
		overlaps = append(overlaps, o.String())
	}
	add("Lost", r.Lost)
	add("Unfinished", r.Unfinished)
	add("Unseen", r.Unseen)
	add("Overlaps", overlaps)
	add("Orphans", r.Orphans)
	add("Left", r.Left)
	words := strings.Fields(strings.Join(parts, " "))
	for i, w := range words {
		for _, end := range []string{"]", ":"} {
			if n, found := strings.CutSuffix(w, end); found && strings.Trim(n, "0123456789") == "" {
				words[i] = "N" + end
			}
		}
	}
	return strings.Join(words, " ")
}

// loseACommit enqueues a job, and puts back the log of before.
func loseACommit(t *testing.T, p Place) {
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(p.Queue())); err != nil {
		t.Fatal(err)
	}
	enqueue(t, p, "late")
	if err := os.RemoveAll(p.Queue()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.Queue(), os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
}

// hold holds the lock of a job, as something of a run of it would.
func hold(t *testing.T, p Place, id string) (release func()) {
	l, err := file.OpenLock(p.lock(id))
	if err == nil {
		err = l.Exclusive()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { l.Close() }
}

func flipABit(t *testing.T, p Place) {
	segments, err := filepath.Glob(filepath.Join(p.Queue(), "log", "0*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[0])
	if err == nil {
		text[len(text)/2] ^= 1
		err = os.WriteFile(segments[0], text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSettle_WaitsForWhatLives(t *testing.T) {
	t.Parallel()
	p := calm(t, "a")
	if err := p.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := hold(t, p, "a")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Settle(over); err == nil {
		t.Error("it did not wait for what holds the lock")
	}
	settled := make(chan error)
	go func() { settled <- p.Settle(t.Context()) }()
	release()
	if err := <-settled; err != nil {
		t.Error(err)
	}
}

func TestWrite_NotesWhatWasAnsweredAndWaitsWhenTheQueueIsFull(t *testing.T) {
	t.Parallel()
	p := Place(t.TempDir())
	if err := p.Prepare(t.Context(), queue.Options{}); err != nil {
		t.Fatal(err)
	}
	with(t, p, func(q *queue.Queue) error {
		if _, err := q.SetConfig(t.Context(), "queue_max", "3"); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		written := make(chan error)
		load := Load{Name: "w", Pace: Gale, Spec: func(int) job.Spec { return job.Spec{Kind: "witness"} }}
		go func() { written <- p.Write(ctx, q, load) }()
		for n := 0; n < 3; {
			jobs, err := q.Status(t.Context())
			if err != nil {
				return err
			}
			n = jobs.Counts[job.Pending]
		}
		cancel()
		return <-written
	})
	var noted []string
	if err := readLines(p.acknowledged(), 2, func(field []string) error {
		noted = append(noted, field[0])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(noted) < 2 || len(noted) > 3 || !slices.Equal(noted, []string{"w-0", "w-1", "w-2"}[:len(noted)]) {
		t.Errorf("noted %v", noted) // the last may have been cancelled
	}
	first, at, err := p.Answers(0)
	none, end, err2 := p.Answers(at)
	if err != nil || err2 != nil || len(first) != len(noted) || len(none) != 0 || end != at {
		t.Errorf("answers: %v up to %d, %v, then %v up to %d, %v; want %d and then none", first, at, err, none, end, err2, len(noted))
	}
}

// TestHearing_IsACheckOfALogThatIsPrunedMeanwhile: what it has heard counts, and the rest is heard later.
func TestHearing_IsACheckOfALogThatIsPrunedMeanwhile(t *testing.T) {
	t.Parallel()
	p := calm(t, "a", "b")
	const bulky = 8
	with(t, p, func(q *queue.Queue) error { // more than the segments that an archive leaves
		for i := range bulky {
			if _, err := q.Enqueue(t.Context(), job.Spec{ID: fmt.Sprint("bulky", i), Kind: "witness", Payload: []byte(`"` + strings.Repeat("x", 250<<10) + `"`)}); err != nil {
				return err
			}
		}
		return nil
	})
	run(t, p)
	h, err := p.Hear()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	heard := 0
	if err := h.Listen(t.Context(), func(queue.Commit) { heard++ }); err != nil || heard == 0 {
		t.Fatal(heard, err)
	}
	if did, err := queue.Archive(t.Context(), p.Queue(), eventlog.ArchiveOptions{}); err != nil || did.Archives == 0 {
		t.Fatal(did, err)
	}
	list, err := queue.Prunable(t.Context(), p.Queue(), queue.Moment{})
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	with(t, p, func(q *queue.Queue) error {
		_, err := q.Prune(t.Context(), list[len(list)-1].Last)
		return err
	})
	enqueue(t, p, "c", "d")
	with(t, p, func(q *queue.Queue) error { return q.Cancel(t.Context(), "d") })
	run(t, p)
	r, err := h.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sound() || len(r.Unfinished) != 1 || r.Jobs != 4+bulky || r.Acknowledged != 4 || r.Runs != 3+bulky {
		t.Errorf("got %+v, want nothing but d, which was cancelled", r)
	}
	h.May = func(id, how string) bool { return id == "d" && how == "cancelled" }
	if r, err = h.Check(t.Context(), nil); err != nil || !r.Sound() {
		t.Errorf("where d may be cancelled: %+v, %v", r, err)
	}
}
