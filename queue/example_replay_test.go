package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// A recorded log is evidence. Here every event of it is stepped through, to check that no job ever had two runs
// at once and that the log never knew more running jobs than its workers have slots.
func ExampleReplay() {
	dir := record()
	defer os.RemoveAll(dir)

	r, err := queue.OpenReplay(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	ctx := context.Background()
	running := map[job.Position]job.Position{} // job → its run
	runs := 0
	for {
		next, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		switch e := next.Event.(type) {
		case job.JobClaimed:
			if first, twice := running[e.Job]; twice {
				log.Fatalf("job %d has runs %d and %d at once", e.Job, first, next.At.Position)
			}
			running[e.Job] = next.At.Position
			runs++
		case *job.JobCompleted:
			delete(running, e.Job)
		case *job.JobFailed:
			delete(running, e.Job)
		case *job.JobDied:
			delete(running, e.Job)
		}
		slots := 0
		for _, w := range r.Workers() {
			slots += int(w.Slots)
		}
		if len(running) > slots {
			log.Fatalf("at %d, %d jobs run in %d slots", r.Position(), len(running), slots)
		}
	}
	fmt.Printf("%d runs, never two of a job\n", runs)
	for j := range r.List(projection.Filter{}) {
		fmt.Println(j.Spec.ID, j.State)
	}
	// Output:
	// 4 runs, never two of a job
	// sound completed
	// broken dead
	// late completed
}

// record makes a directory with the log of a queue that has worked.
func record() (dir string) {
	dir, err := os.MkdirTemp("", "queue-")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	q, err := queue.Open(ctx, dir, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	once, base := uint32(1), 1.0
	_, err = q.EnqueueMany(ctx, []job.Spec{
		{ID: "sound", Kind: "sound"},
		{ID: "broken", Kind: "broken", MaxRetries: &once, BackoffBase: &base},
		{ID: "late", Kind: "sound"},
	}, queue.EnqueueOptions{})
	if err != nil {
		log.Fatal(err)
	}
	err = q.Run(ctx, queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{
		"sound":  func(context.Context, job.Job) error { return nil },
		"broken": func(context.Context, job.Job) error { return errors.New("it is broken") },
	}})
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
