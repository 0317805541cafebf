package storm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/file"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// Place is the directory of a storm:
//
//	queue/         the queue
//	acknowledged   a line for each enqueue that was answered: the id, and how long the answer took in nanoseconds
//	shown          a line for each commit that a follower was shown: its number and its hash
//	seen           a line for each thing that a command saw: what, the job's id, the run
//	locks/ID       held while anything of a run of the job lives
//
// A line is one write to a file that is open for appending, so that it is there whole or not at all however its
// process dies.
type Place string

// What commands see.
const (
	SawBegin   = "began"
	SawEnd     = "ended"
	SawOverlap = "overlap" // something of another run of the job held the lock
)

// Queue is the directory of the queue.
func (p Place) Queue() string { return filepath.Join(string(p), "queue") }

// PlaceOf returns the place of a queue.
func PlaceOf(dir string) Place { return Place(filepath.Dir(dir)) }

func (p Place) acknowledged() string    { return filepath.Join(string(p), "acknowledged") }
func (p Place) shown() string           { return filepath.Join(string(p), "shown") }
func (p Place) seen() string            { return filepath.Join(string(p), "seen") }
func (p Place) lock(name string) string { return filepath.Join(string(p), "locks", name) }

// Prepared says that the place is one of a storm, so that its processes do not meddle with another queue.
func (p Place) Prepared() bool {
	info, err := os.Stat(p.lock(""))
	return err == nil && info.IsDir()
}

// Prepare makes the queue, with settings under which every job has to complete, however often its workers are killed,
// and of which the writers cannot get far ahead.
func (p Place) Prepare(ctx context.Context, opt queue.Options) error {
	if err := os.Mkdir(filepath.Join(string(p), "locks"), 0o700); err != nil {
		return fmt.Errorf("prepare the storm: %w", err)
	}
	q, err := queue.Open(ctx, p.Queue(), opt)
	if err != nil {
		return fmt.Errorf("prepare the storm: %w", err)
	}
	for _, s := range [][2]string{{"max_crashes", "1000000000"}, {"queue_max", "60"}} {
		if _, err := q.SetConfig(ctx, s[0], s[1]); err != nil {
			return errors.Join(fmt.Errorf("prepare the storm: %w", err), q.Close())
		}
	}
	return q.Close()
}

// Load is what a writer enqueues.
type Load struct {
	Name string               // that the ids of the jobs begin with, which no other writer has
	Pace time.Duration        // between two jobs
	Spec func(n int) job.Spec // of the nth job, which has to do what [Place.Witness] does. Its ID is added to the name
}

// Gale is the pace of a storm: as fast as jobs are run.
const Gale = 5 * time.Millisecond

// Write is what a writer does: it enqueues jobs, and notes each one that was answered, until ctx ends.
func (p Place) Write(ctx context.Context, q *queue.Queue, load Load) error {
	noted, err := appendTo(p.acknowledged())
	if err != nil {
		return err
	}
	defer noted.Close() // each line is written by itself
	for i := 0; ctx.Err() == nil; {
		spec := load.Spec(i)
		spec.ID = fmt.Sprintf("%s-%s%d", load.Name, spec.ID, i)
		begun := time.Now()
		_, err := q.Enqueue(ctx, spec)
		switch {
		case errors.Is(err, job.ErrQueueFull):
		case ctx.Err() != nil: // it may be in the log or not: nobody was told
			return nil
		case err != nil:
			return err
		default:
			if _, err := fmt.Fprintf(noted, "%s %d\n", spec.ID, time.Since(begun)); err != nil {
				return err
			}
			i++
		}
		select {
		case <-time.After(load.Pace):
		case <-ctx.Done():
		}
	}
	return nil
}

// Answers returns how long each answer took that was noted from a place in the file on, 0 = the first, and where the
// next one will be.
func (p Place) Answers(from int64) (took []time.Duration, next int64, err error) {
	f, err := os.Open(p.acknowledged())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, nil // no writer has begun
	}
	if err != nil {
		return nil, from, err
	}
	defer f.Close() // only read
	r := bufio.NewReader(io.NewSectionReader(f, from, math.MaxInt64-from))
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return took, from, nil
		}
		var id string
		var n time.Duration
		if err == nil {
			_, err = fmt.Sscan(line, &id, (*int64)(&n))
		}
		if err != nil {
			return took, from, fmt.Errorf("%s: line %q: %w", p.acknowledged(), line, err)
		}
		took, from = append(took, n), from+int64(len(line))
	}
}

// Run is what a command is a run of.
type Run struct {
	Job string // id
	Run string // its number
	// Child runs another process, which calls [Linger], to its end. It inherits the file, so that what a command left
	// behind is seen as well. nil = there is none.
	Child func(*os.File) error
}

// Witness is what the command of a job does: it holds the lock of the job for some time, and notes if another run does.
func (p Place) Witness(r Run) error {
	noted, err := appendTo(p.seen())
	if err != nil {
		return err
	}
	defer noted.Close() // each line is written by itself
	note := func(what string) error {
		_, err := fmt.Fprintf(noted, "%s %s %s\n", what, r.Job, r.Run)
		return err
	}
	l, err := file.OpenLock(p.lock(r.Job))
	if err != nil {
		return err
	}
	defer l.Close() // only locked
	alone, err := l.TryExclusive()
	if err != nil {
		return err
	}
	if !alone {
		if err := note(SawOverlap); err != nil {
			return err
		}
	}
	if err := note(SawBegin); err != nil {
		return err
	}
	if err := r.linger(l.File()); err != nil {
		return err
	}
	return note(SawEnd)
}

// linger takes some time, alone or with a child that has the lock too.
func (r Run) linger(lock *os.File) error {
	n, err := strconv.ParseUint(r.Run, 10, 64)
	if err != nil {
		return fmt.Errorf("run %q: %w", r.Run, err)
	}
	const withChild = 4 // every fourth
	if r.Child == nil || n%withChild != 0 {
		Linger(n)
		return nil
	}
	return r.Child(lock)
}

// Linger takes up to 90 milliseconds, in some order.
func Linger(n uint64) {
	const step = 10 * time.Millisecond
	time.Sleep(time.Duration(n%10) * step)
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// readLines passes the fields of each whole line of a file to fn. A file that is not there has none.
func readLines(path string, fields int, fn func([]string) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() // only read
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // what has no end was not written to its end
		}
		if err != nil {
			return err
		}
		field := strings.Fields(line)
		if len(field) != fields {
			return fmt.Errorf("%s: line %q: want %d fields", path, line, fields)
		}
		if err := fn(field); err != nil {
			return err
		}
	}
}
