package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

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
