package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// A program that embeds the queue: it enqueues a job for a handler of its own and works until nothing
// is left.
func Example() {
	dir, err := os.MkdirTemp("", "queue-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	q, err := queue.Open(ctx, dir, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	_, err = q.Enqueue(ctx, job.Spec{ID: "welcome-42", Kind: "email", Payload: json.RawMessage(`{"to":"ada"}`)})
	if err != nil {
		log.Fatal(err)
	}
	err = q.Run(ctx, queue.WorkerOptions{
		UntilEmpty: true,
		Handlers: map[string]queue.Handler{
			"email": func(_ context.Context, j job.Job) error {
				fmt.Printf("%s: %s\n", j.Spec.ID, j.Spec.Payload)
				return nil
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: welcome-42: {"to":"ada"}
}

// Shell commands are jobs as well; what they print is kept in a file of their run.
func ExampleQueue_Run_command() {
	dir, err := os.MkdirTemp("", "queue-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	q, err := queue.Open(ctx, dir, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	if _, err := q.Enqueue(ctx, job.Spec{ID: "greet", Command: "echo hello"}); err != nil {
		log.Fatal(err)
	}
	if err := q.Run(ctx, queue.WorkerOptions{UntilEmpty: true}); err != nil {
		log.Fatal(err)
	}
	j, err := q.Job(ctx, "greet")
	if err != nil {
		log.Fatal(err)
	}
	output, err := os.ReadFile(q.OutputPath(j.Run))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s", j.State, output)
	// Output: completed: hello
}

// Every change can say why it was made; the history keeps it.
func ExampleBecause() {
	ctx := context.Background()
	q, err := queue.NewMemory().Open(ctx, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	if _, err := q.Enqueue(ctx, job.Spec{ID: "report", Kind: "report"}); err != nil {
		log.Fatal(err)
	}
	if err := q.Cancel(queue.Because(ctx, "the customer has left"), "report"); err != nil {
		log.Fatal(err)
	}
	history, err := q.History(ctx, "report")
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range history {
		fmt.Printf("%T %q\n", r.Event, r.At.Actor.Reason)
	}
	// Output:
	// *job.JobEnqueued ""
	// *job.JobCancelled "the customer has left"
}

// List selects by state and queue; a cursor reads a long list in pieces.
func ExampleQueue_List() {
	ctx := context.Background()
	q, err := queue.NewMemory().Open(ctx, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	for _, id := range []string{"a", "b", "c"} {
		if _, err := q.Enqueue(ctx, job.Spec{ID: id, Kind: "none"}); err != nil {
			log.Fatal(err)
		}
	}
	var last job.Position
	for {
		page, err := q.List(ctx, projection.Filter{States: []job.State{job.Pending}, After: last, Limit: 2})
		if err != nil {
			log.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, j := range page {
			fmt.Print(j.Spec.ID, " ")
			last = j.Key
		}
	}
	fmt.Println()
	// Output: a b c
}

// A schedule makes a job of each of its ticks while a worker runs; here one that comes late makes up for what was
// missed.
func ExampleQueue_AddCron() {
	ctx := context.Background()
	now := time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC)
	q, err := queue.NewMemory().Open(ctx, queue.Options{Now: func() time.Time { return now }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	entry, err := q.AddCron(ctx, job.Cron{
		Name: "digest", Schedule: "0 9 * * *", Zone: "Europe/Zurich", Missed: job.MissedAll, Job: job.Spec{Kind: "digest"},
	}, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tick := range queue.NextTicks(entry, 2) {
		fmt.Println(tick)
	}
	now = now.Add(49 * time.Hour)
	digest := func(_ context.Context, j job.Job) error {
		fmt.Println(j.Spec.ID)
		return nil
	}
	if err := q.Run(ctx, queue.WorkerOptions{UntilEmpty: true, Handlers: map[string]queue.Handler{"digest": digest}}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2030-02-01 08:00:00 +0000 UTC
	// 2030-02-02 08:00:00 +0000 UTC
	// digest-20300201T080000Z
	// digest-20300202T080000Z
}
